//! The files of `repository/conf`: only the elements someone taking over the site reads.

use crate::artifacts::xml;
use crate::site::{SUPER_TENANT, Site};
use crate::write::{Link, Links};

/// (path below the home folder, text)
pub(crate) fn files(site: &Site, links: &Links) -> Vec<(String, String)> {
    let conf =
        |name: &str, text: String| (format!("repository/conf/{name}"), format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"));
    let mut files = vec![
        ("bin/version.txt".to_owned(), format!("WSO2 API Manager-{}\n", site.version.as_str())),
        conf("datasources/master-datasources.xml", datasources(links)),
        conf("api-manager.xml", api_manager(site)),
        conf("user-mgt.xml", user_management(site)),
        conf("registry.xml", REGISTRY.to_owned()),
        conf("identity.xml", IDENTITY.to_owned()),
        conf("carbon.xml", carbon(site)),
    ];
    for store in site.user_stores.iter().filter(|store| !store.is_primary()) {
        let folder = match store.tenant {
            SUPER_TENANT => "repository/deployment/server/userstores".to_owned(),
            tenant => format!("repository/tenants/{tenant}/userstores"),
        };
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", store.xml());
        files.push((format!("{folder}/{}.xml", store.domain.to_lowercase().replace('.', "_")), text));
    }
    files
}

fn datasources(links: &Links) -> String {
    let source = |name: &str, jndi: &str, link: &Link| {
        format!(
            "        <datasource>\n            <name>{name}</name>\n            <jndiConfig>\n                <name>{jndi}</name>\n            </jndiConfig>\n            \
             <definition type=\"RDBMS\">\n                <configuration>\n                    <url>{}</url>\n                    <username>{}</username>\n                    \
             <password>{}</password>\n                    <driverClassName>{}</driverClassName>\n                    <maxActive>50</maxActive>\n                    \
             <maxWait>60000</maxWait>\n                    <testOnBorrow>true</testOnBorrow>\n                    <validationQuery>SELECT 1</validationQuery>\n                    \
             <validationInterval>30000</validationInterval>\n                </configuration>\n            </definition>\n        </datasource>\n",
            xml(&link.url),
            xml(&link.username),
            xml(&link.password),
            link.driver(),
        )
    };
    format!(
        "<datasources-configuration xmlns:svns=\"http://org.wso2.securevault/configuration\">\n    <providers>\n        \
         <provider>org.wso2.carbon.ndatasource.rdbms.RDBMSDataSourceReader</provider>\n    </providers>\n    <datasources>\n{}{}{}    </datasources>\n</datasources-configuration>\n",
        source("WSO2AM_DB", "jdbc/WSO2AM_DB", &links.am),
        source("WSO2UM_DB", "jdbc/WSO2UM_DB", &links.user),
        source("WSO2REG_DB", "jdbc/WSO2REG_DB", &links.registry),
    )
}

fn api_manager(site: &Site) -> String {
    let host = xml(&site.host);
    format!(
        "<APIManager>\n    <DataSourceName>jdbc/WSO2AM_DB</DataSourceName>\n    <GatewayType>Synapse</GatewayType>\n    <EnableSecureVault>false</EnableSecureVault>\n    \
         <AuthManager>\n        <ServerURL>https://localhost:9443/services/</ServerURL>\n        <Username>admin</Username>\n        <Password>admin</Password>\n    </AuthManager>\n    \
         <APIConsumerAuthentication>\n        <SecurityContextHeader>X-JWT-Assertion</SecurityContextHeader>\n        <ConsumerDialectURI>http://wso2.org/claims</ConsumerDialectURI>\n        \
         <SignatureAlgorithm>SHA256withRSA</SignatureAlgorithm>\n        <EnableTokenGeneration>true</EnableTokenGeneration>\n        \
         <RemoveOAuthHeadersFromOutMessage>true</RemoveOAuthHeadersFromOutMessage>\n    </APIConsumerAuthentication>\n    \
         <APIGateway>\n        <Environments>\n            <Environment type=\"hybrid\" api-console=\"true\">\n                <Name>Production and Sandbox</Name>\n                \
         <Description>Both kinds of calls</Description>\n                <ServerURL>https://localhost:9443/services/</ServerURL>\n                <Username>admin</Username>\n                \
         <Password>admin</Password>\n                <GatewayEndpoint>http://{host}:8280,https://{host}:8243</GatewayEndpoint>\n            </Environment>\n        </Environments>\n        \
         <EnableGatewayKeyCache>true</EnableGatewayKeyCache>\n        <EnableGatewayResourceCache>true</EnableGatewayResourceCache>\n        <ClientDomainHeader>referer</ClientDomainHeader>\n    </APIGateway>\n    \
         <APIUsageTracking>\n        <Enabled>false</Enabled>\n    </APIUsageTracking>\n    \
         <APIKeyValidator>\n        <ServerURL>https://localhost:9443/services/</ServerURL>\n        <KeyValidatorClientType>ThriftClient</KeyValidatorClientType>\n        \
         <TokenEndPointName>/oauth2/token</TokenEndPointName>\n        <RevokeAPIURL>https://localhost:8243/revoke</RevokeAPIURL>\n        \
         <EncryptPersistedTokens>false</EncryptPersistedTokens>\n        <ApplicationTokenDefaultValidityPeriod>3600</ApplicationTokenDefaultValidityPeriod>\n    </APIKeyValidator>\n    \
         <TierManagement>\n        <EnableUnlimitedTier>true</EnableUnlimitedTier>\n    </TierManagement>\n    \
         <APIStore>\n        <CompareCaseInsensitively>true</CompareCaseInsensitively>\n        <DisplayURL>false</DisplayURL>\n        <URL>https://{host}:9443/store</URL>\n        \
         <DisplayMultipleVersions>true</DisplayMultipleVersions>\n        <DisplayAllAPIs>false</DisplayAllAPIs>\n        <DisplayComments>true</DisplayComments>\n        \
         <DisplayRatings>true</DisplayRatings>\n        <MapExistingAuthApps>false</MapExistingAuthApps>\n    </APIStore>\n    \
         <APIPublisher>\n        <DisplayURL>false</DisplayURL>\n        <URL>https://{host}:9443/publisher</URL>\n        <EnableAPIDocVisibilityLevels>false</EnableAPIDocVisibilityLevels>\n    </APIPublisher>\n    \
         <ExtensionHandlerPosition>bottom</ExtensionHandlerPosition>\n    \
         <CORSConfiguration>\n        <Enabled>true</Enabled>\n        <Access-Control-Allow-Origin>https://shop.example,https://ledger.example</Access-Control-Allow-Origin>\n        \
         <Access-Control-Allow-Methods>GET,PUT,POST,DELETE,PATCH,OPTIONS</Access-Control-Allow-Methods>\n        \
         <Access-Control-Allow-Headers>authorization,Access-Control-Allow-Origin,Content-Type</Access-Control-Allow-Headers>\n        \
         <Access-Control-Allow-Credentials>true</Access-Control-Allow-Credentials>\n    </CORSConfiguration>\n</APIManager>\n"
    )
}

fn user_management(site: &Site) -> String {
    let password = site.users.iter().find(|u| u.name == "admin").map(|u| xml(&u.password)).unwrap_or_default();
    let text = format!(
        "<UserManager>\n    <Realm>\n        <Configuration>\n            <AddAdmin>true</AddAdmin>\n            <AdminRole>admin</AdminRole>\n            <AdminUser>\n                \
         <UserName>admin</UserName>\n                <Password>{password}</Password>\n            </AdminUser>\n            <EveryOneRoleName>everyone</EveryOneRoleName>\n            \
         <Property name=\"dataSource\">jdbc/WSO2UM_DB</Property>\n        </Configuration>\n        \
         <UserStoreManager class=\"org.wso2.carbon.user.core.jdbc.JDBCUserStoreManager\">\n            \
         <Property name=\"TenantManager\">org.wso2.carbon.user.core.tenant.JDBCTenantManager</Property>\n            <Property name=\"ReadOnly\">false</Property>\n            \
         <Property name=\"PasswordDigest\">SHA-256</Property>\n            <Property name=\"StoreSaltedPassword\">true</Property>\n            <Property name=\"ReadGroups\">true</Property>\n            \
         <Property name=\"WriteGroups\">true</Property>\n            <Property name=\"UserNameUniqueAcrossTenants\">false</Property>\n            \
         <Property name=\"UsernameJavaRegEx\">^[\\S]{{3,30}}$</Property>\n            <Property name=\"PasswordJavaRegEx\">^[\\S]{{5,30}}$</Property>\n            \
         <Property name=\"RolenameJavaRegEx\">^[\\S]{{3,30}}$</Property>\n            <Property name=\"SharedGroupEnabled\">false</Property>\n        </UserStoreManager>\n        \
         <AuthorizationManager class=\"org.wso2.carbon.user.core.authorization.JDBCAuthorizationManager\">\n            \
         <Property name=\"AdminRoleManagementPermissions\">/permission</Property>\n            <Property name=\"AuthorizationCacheEnabled\">true</Property>\n        </AuthorizationManager>\n    </Realm>\n</UserManager>\n"
    );
    let Some(primary) = site.user_stores.iter().find(|store| store.is_primary()) else { return text };
    let (before, rest) = text.split_once("<UserStoreManager").unwrap_or((&text, ""));
    let (_, after) = rest.split_once("</UserStoreManager>").unwrap_or(("", rest));
    format!("{before}{}{after}", primary.xml())
}

const REGISTRY: &str = "<wso2registry>\n    <currentDBConfig>wso2registry</currentDBConfig>\n    <readOnly>false</readOnly>\n    <enableCache>true</enableCache>\n    \
    <registryRoot>/</registryRoot>\n    <dbConfig name=\"wso2registry\">\n        <dataSource>jdbc/WSO2REG_DB</dataSource>\n    </dbConfig>\n    \
    <versionResourcesOnChange>false</versionResourcesOnChange>\n    <staticConfiguration>\n        <versioningProperties>true</versioningProperties>\n        \
    <versioningComments>true</versioningComments>\n        <versioningTags>true</versioningTags>\n        <versioningRatings>true</versioningRatings>\n        \
    <servicePath>/_system/governance/trunk/services/</servicePath>\n    </staticConfiguration>\n</wso2registry>\n";

const IDENTITY: &str = "<Server xmlns=\"http://wso2.org/projects/carbon/carbon.xml\">\n    <JDBCPersistenceManager>\n        <DataSource>\n            \
    <Name>jdbc/WSO2AM_DB</Name>\n        </DataSource>\n    </JDBCPersistenceManager>\n    <OAuth>\n        \
    <AuthorizationCodeDefaultValidityPeriod>300</AuthorizationCodeDefaultValidityPeriod>\n        <AccessTokenDefaultValidityPeriod>3600</AccessTokenDefaultValidityPeriod>\n        \
    <ApplicationAccessTokenDefaultValidityPeriod>3600</ApplicationAccessTokenDefaultValidityPeriod>\n        <UserAccessTokenDefaultValidityPeriod>3600</UserAccessTokenDefaultValidityPeriod>\n        \
    <TimestampSkew>300</TimestampSkew>\n        <EnableOAuthCache>true</EnableOAuthCache>\n        \
    <TokenPersistenceProcessor>org.wso2.carbon.identity.oauth.tokenprocessor.PlainTextPersistenceProcessor</TokenPersistenceProcessor>\n        \
    <EnableAssertions>\n            <UserName>false</UserName>\n        </EnableAssertions>\n        <EnableAccessTokenPartitioning>false</EnableAccessTokenPartitioning>\n        \
    <AccessTokenPartitioningDomains/>\n        <SupportedGrantTypes>\n            <SupportedGrantType>\n                <GrantTypeName>password</GrantTypeName>\n            </SupportedGrantType>\n            \
    <SupportedGrantType>\n                <GrantTypeName>client_credentials</GrantTypeName>\n            </SupportedGrantType>\n            <SupportedGrantType>\n                \
    <GrantTypeName>refresh_token</GrantTypeName>\n            </SupportedGrantType>\n        </SupportedGrantTypes>\n    </OAuth>\n</Server>\n";

fn carbon(site: &Site) -> String {
    let host = xml(&site.host);
    let version = site.version.as_str();
    format!(
        "<Server xmlns=\"http://wso2.org/projects/carbon/carbon.xml\">\n    <Name>WSO2 API Manager</Name>\n    <ServerKey>AM</ServerKey>\n    <Version>{version}</Version>\n    \
         <HostName>{host}</HostName>\n    <MgtHostName>{host}</MgtHostName>\n    <Ports>\n        <Offset>0</Offset>\n    </Ports>\n    <WebContextRoot>/</WebContextRoot>\n    \
         <Security>\n        <KeyStore>\n            <Location>${{carbon.home}}/repository/resources/security/wso2carbon.jks</Location>\n            <Type>JKS</Type>\n            \
         <Password>wso2carbon</Password>\n            <KeyAlias>wso2carbon</KeyAlias>\n            <KeyPassword>wso2carbon</KeyPassword>\n        </KeyStore>\n        \
         <TrustStore>\n            <Location>${{carbon.home}}/repository/resources/security/client-truststore.jks</Location>\n            <Type>JKS</Type>\n            \
         <Password>wso2carbon</Password>\n        </TrustStore>\n    </Security>\n</Server>\n"
    )
}
