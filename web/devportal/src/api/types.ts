// What the page reads of the answers of `/api/am/devportal/v2`. Other members are there and not looked at.

export interface Page<T> {
  count: number;
  list: T[];
  pagination: { offset: number; limit: number; total: number };
}

export interface FoundApi {
  id: string;
  name: string;
  version: string;
  context: string;
  provider: string;
  description: string | null;
  status: string;
  /** `API`; an original 4.0.0 also finds `DOC` and `APIProduct`. */
  type: string;
  transportType: string | null;
}

export interface Tag {
  value: string;
  count: number;
}

export interface Urls {
  http: string | null;
  https: string | null;
  ws: string | null;
  wss: string | null;
}

export interface EnvironmentUrls {
  environmentName: string;
  environmentDisplayName: string;
  environmentType: string;
  URLs: Urls;
  defaultVersionURLs: Urls;
}

export interface ApiDetails {
  id: string;
  name: string;
  version: string;
  context: string;
  provider: string;
  description: string | null;
  lifeCycleStatus: string;
  /** `HTTP`, `SOAP`, `SOAPTOREST`, `GRAPHQL`, `WS`, `WEBSUB`, `SSE`. */
  type: string;
  tags: string[];
  operations: { target: string; verb: string }[];
  authorizationHeader: string;
  securityScheme: string[];
  endpointURLs: EnvironmentUrls[];
  scopes: { key: string; name: string | null; description: string | null }[];
  businessInformation: {
    businessOwner: string | null;
    businessOwnerEmail: string | null;
    technicalOwner: string | null;
    technicalOwnerEmail: string | null;
  };
  advertiseInfo: { advertised: boolean; originalDevPortalUrl: string | null };
}

export interface Plan {
  name: string;
  description: string | null;
  requestCount: number;
  /** Unit of `requestCount` when it counts data: `KB`, `MB`. */
  dataUnit: string | null;
  unitTime: number;
  timeUnit: string;
  tierPlan: string;
}
