//! The registry database: a versioned file system in tables. Builds the tree, then its links.
//!
//! Properties and tags are linked by version number (the mode of 1.8 to 2.6). Numbers start at 1 in every tenant, so
//! only the pair (number, tenant) tells rows apart.

use std::collections::{BTreeMap, HashMap};

use crate::artifacts;
use crate::rows::{Rows, Value, row};
use crate::seed;
use crate::site::{DAY_MS, Site};

/// One file of the registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Absolute.
    pub(crate) path: String,
    pub(crate) media_type: Option<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) creator: String,
    pub(crate) uuid: Option<String>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) tags: Vec<String>,
    /// (type, absolute target)
    pub(crate) associations: Vec<(String, String)>,
}

/// Every row of the registry database.
pub(crate) fn rows(site: &Site) -> Rows {
    let mut rows = Rows::default();
    for tenant in site.tenant_ids() {
        let mut tree = Tree::new(site, tenant);
        for entry in artifacts::entries(site, tenant) {
            tree.put(&mut rows, &entry);
        }
    }
    rows
}

/// One tenant's numbering.
struct Tree<'a> {
    site: &'a Site,
    tenant: i32,
    paths: HashMap<String, i64>,
    tags: BTreeMap<String, i64>,
    version: i64,
    content: i64,
    property: i64,
    association: i64,
}

impl<'a> Tree<'a> {
    fn new(site: &'a Site, tenant: i32) -> Self {
        Self { site, tenant, paths: HashMap::new(), tags: BTreeMap::new(), version: 0, content: 0, property: 0, association: 0 }
    }

    fn put(&mut self, rows: &mut Rows, entry: &Entry) {
        let Some((folder, name)) = entry.path.rsplit_once('/') else { return };
        let path = self.collection(rows, folder);
        self.content += 1;
        row!(rows, "REG_CONTENT"; REG_CONTENT_ID = self.content, REG_CONTENT_DATA = entry.content.clone(), REG_TENANT_ID = self.tenant);
        let uuid = entry.uuid.clone().unwrap_or_else(|| seed::uuid(self.site.seed, &format!("{}:{}", self.tenant, entry.path)));
        let version = self.resource(rows, path, Some(name), entry.media_type.clone(), &entry.creator, Some(self.content), uuid);
        for (name, value) in &entry.properties {
            self.property += 1;
            row!(rows, "REG_PROPERTY"; REG_ID = self.property, REG_NAME = name, REG_VALUE = value, REG_TENANT_ID = self.tenant);
            row!(rows, "REG_RESOURCE_PROPERTY"; REG_PROPERTY_ID = self.property, REG_VERSION = version, REG_TENANT_ID = self.tenant);
        }
        for tag in &entry.tags {
            let next = i64::try_from(self.tags.len()).unwrap_or(0) + 1;
            let id = *self.tags.entry(format!("{}\n{tag}", entry.creator)).or_insert_with(|| {
                row!(rows, "REG_TAG"; REG_ID = next, REG_TAG_NAME = tag, REG_USER_ID = truncated(&entry.creator),
                    REG_TAGGED_TIME = self.site.local(self.site.now_ms - 90 * DAY_MS), REG_TENANT_ID = self.tenant);
                next
            });
            row!(rows, "REG_RESOURCE_TAG"; REG_TAG_ID = id, REG_VERSION = version, REG_TENANT_ID = self.tenant);
        }
        for (kind, target) in &entry.associations {
            self.association += 1;
            row!(rows, "REG_ASSOCIATION"; REG_ASSOCIATION_ID = self.association, REG_SOURCEPATH = &entry.path, REG_TARGETPATH = target,
                REG_ASSOCIATION_TYPE = kind, REG_TENANT_ID = self.tenant);
        }
    }

    /// The number of a collection, made with all its parents when new. `""` is the root.
    fn collection(&mut self, rows: &mut Rows, path: &str) -> i64 {
        if let Some(id) = self.paths.get(path) {
            return *id;
        }
        let parent = path.rsplit_once('/').map(|(parent, _)| self.collection(rows, parent));
        let id = i64::try_from(self.paths.len()).unwrap_or(0) + 1;
        self.paths.insert(path.to_owned(), id);
        row!(rows, "REG_PATH"; REG_PATH_ID = id, REG_PATH_VALUE = if path.is_empty() { "/" } else { path }, REG_PATH_PARENT_ID = parent.unwrap_or(-1),
            REG_TENANT_ID = self.tenant);
        let uuid = seed::uuid(self.site.seed, &format!("{}:{path}/", self.tenant));
        self.resource(rows, id, None, None, "wso2.system.user", None, uuid);
        id
    }

    fn resource(
        &mut self,
        rows: &mut Rows,
        path: i64,
        name: Option<&str>,
        media: Option<String>,
        creator: &str,
        content: Option<i64>,
        uuid: String,
    ) -> i64 {
        self.version += 1;
        let at = self.site.local(self.site.now_ms - 90 * DAY_MS);
        row!(rows, "REG_RESOURCE"; REG_PATH_ID = path, REG_NAME = name, REG_VERSION = self.version, REG_MEDIA_TYPE = media,
            REG_CREATOR = truncated(creator), REG_CREATED_TIME = at.clone(), REG_LAST_UPDATOR = truncated(creator), REG_LAST_UPDATED_TIME = at,
            REG_DESCRIPTION = Value::Null, REG_CONTENT_ID = content, REG_TENANT_ID = self.tenant, REG_UUID = uuid);
        self.version
    }
}

/// User columns of the registry hold 31 characters; longer names were cut.
fn truncated(user: &str) -> String {
    user.chars().take(31).collect()
}
