//! The registry: a file system in tables, one tree per tenant. Resolves paths to resources, joins properties and tags to what
//! still lives, follows mounts into other databases.
//!
//! Only small contents that decide something are read into memory at once; icons, document files and the like stay where they
//! are and come through [`Registry::contents`], one at a time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::NaiveDateTime;

use super::record::{self, record};
use crate::source::{CellError, Misfit, Rows, SiteDatabases, Source, SourceError};

/// Where governance resources stand.
pub const GOVERNANCE: &str = "/_system/governance";
/// Where configuration resources stand.
pub const CONFIG: &str = "/_system/config";

/// The trees of all tenants.
#[derive(Debug, Default)]
pub struct Registry {
    /// By tenant and path as the product sees it.
    resources: BTreeMap<(i64, String), Resource>,
    sources: Vec<Arc<Source>>,
    /// Typed edges between paths.
    pub associations: Vec<Association>,
    /// Tag links whose resource is gone.
    pub orphan_tag_links: u64,
    /// Property links whose resource is gone.
    pub orphan_property_links: u64,
}

/// One file or folder. Shows where it is and how long, and nothing of what is in it.
#[derive(Clone, PartialEq)]
pub struct Resource {
    /// Tenant.
    pub tenant_id: i64,
    /// As the product sees it, from the root.
    pub path: String,
    /// A folder.
    pub is_collection: bool,
    /// Media type.
    pub media_type: Option<String>,
    /// Who made it; cut to 31 characters by the old product.
    pub creator: Option<String>,
    /// When, local time.
    pub created: Option<NaiveDateTime>,
    /// Who changed it last.
    pub updater: Option<String>,
    /// When, local time.
    pub updated: Option<NaiveDateTime>,
    /// For people.
    pub description: Option<String>,
    /// The API's or document's identifier.
    pub uuid: Option<String>,
    /// Name and value; a name may repeat. Values of the vault and of keystores are encrypted passwords.
    pub properties: Vec<Property>,
    /// Tags, sorted, each once.
    pub tags: Vec<String>,
    /// Bytes, when they were read at once.
    pub content: Option<Vec<u8>>,
    content_id: Option<i64>,
    source: usize,
}

/// A property of a resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Option<String>,
}

// Keystore and vault properties hold (encrypted) passwords.
impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.content.as_ref().map(Vec::len);
        write!(f, "Resource({} of tenant {}, {bytes:?} bytes, {:?}, tags {:?})", self.path, self.tenant_id, self.properties, self.tags)
    }
}

impl Resource {
    /// Whether it has bytes at all.
    pub fn has_content(&self) -> bool {
        self.content_id.is_some()
    }

    /// The first property of that name.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|p| p.name == name).and_then(|p| p.value.as_deref())
    }

    /// The last segment of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

record! {
    /// A typed edge between two paths of a tenant.
    Association from "REG_ASSOCIATION" {
        source_path: String = "REG_SOURCEPATH",
        target_path: String = "REG_TARGETPATH",
        kind: String = "REG_ASSOCIATION_TYPE",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

record! {
    PathRow from "REG_PATH" {
        id: i64 = "REG_PATH_ID",
        value: String = "REG_PATH_VALUE",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

record! {
    ResourceRow from "REG_RESOURCE" {
        path_id: i64 = "REG_PATH_ID",
        name: Option<String> = "REG_NAME",
        version: i64 = "REG_VERSION",
        media_type: Option<String> = "REG_MEDIA_TYPE",
        creator: Option<String> = "REG_CREATOR",
        created: Option<NaiveDateTime> = "REG_CREATED_TIME",
        updater: Option<String> = "REG_LAST_UPDATOR",
        updated: Option<NaiveDateTime> = "REG_LAST_UPDATED_TIME",
        description: Option<String> = "REG_DESCRIPTION",
        content_id: Option<i64> = "REG_CONTENT_ID",
        tenant_id: i64 = "REG_TENANT_ID",
        uuid: Option<String> = "REG_UUID",
    }
}

record! {
    PropertyRow from "REG_PROPERTY" {
        id: i64 = "REG_ID",
        name: String = "REG_NAME",
        value: Option<String> = "REG_VALUE",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

record! {
    PropertyLink from "REG_RESOURCE_PROPERTY" {
        id: i64 = "REG_PROPERTY_ID",
        version: Option<i64> = "REG_VERSION",
        path_id: Option<i64> = "REG_PATH_ID",
        name: Option<String> = "REG_RESOURCE_NAME",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

record! {
    TagRow from "REG_TAG" {
        id: i64 = "REG_ID",
        name: String = "REG_TAG_NAME",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

record! {
    TagLink from "REG_RESOURCE_TAG" {
        id: i64 = "REG_TAG_ID",
        version: Option<i64> = "REG_VERSION",
        path_id: Option<i64> = "REG_PATH_ID",
        name: Option<String> = "REG_RESOURCE_NAME",
        tenant_id: i64 = "REG_TENANT_ID",
    }
}

impl Registry {
    /// Reads the trees, and the contents `wanted` at once names by their path.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub async fn read(
        databases: &SiteDatabases,
        wanted: impl Fn(&str) -> bool,
        unreadable: &mut Vec<CellError>,
    ) -> Result<Self, SourceError> {
        let mut registry = Self::default();
        let mounted: Vec<&str> = databases.mounts.iter().map(|m| m.path.as_str()).collect();
        let local = registry.add_source(&databases.registry);
        let see = |path: &str| (!mounted.iter().any(|m| below(path, m).is_some())).then(|| path.to_owned());
        registry.read_tree(local, see, unreadable).await?;
        for mount in &databases.mounts {
            let at = registry.add_source(&mount.source);
            let see = |path: &str| below(path, &mount.target).map(|rest| format!("{}{rest}", mount.path));
            registry.read_tree(at, see, unreadable).await?;
        }
        registry.read_contents(wanted, unreadable).await?;
        Ok(registry)
    }

    /// The resource at a path.
    pub fn at(&self, tenant_id: i64, path: &str) -> Option<&Resource> {
        self.resources.get(&(tenant_id, path.to_owned()))
    }

    /// The bytes at a path, when they were read at once.
    pub fn content(&self, tenant_id: i64, path: &str) -> Option<&[u8]> {
        self.at(tenant_id, path).and_then(|r| r.content.as_deref())
    }

    /// Lets go of bytes that have been taken over elsewhere.
    pub(super) fn release(&mut self, tenant_id: i64, path: &str) {
        if let Some(resource) = self.resources.get_mut(&(tenant_id, path.to_owned())) {
            resource.content = None;
        }
    }

    /// Everything below a folder, at any depth, in path order; not the folder itself.
    pub fn below(&self, tenant_id: i64, folder: &str) -> impl Iterator<Item = &Resource> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let from = (tenant_id, prefix.clone());
        self.resources
            .range(from..)
            .take_while(move |((tenant, path), _)| *tenant == tenant_id && path.starts_with(&prefix))
            .map(|(_, resource)| resource)
    }

    /// The paths of resources with bytes below a folder.
    pub fn files_below(&self, tenant_id: i64, folder: &str) -> Vec<&str> {
        self.below(tenant_id, folder).filter(|r| r.has_content()).map(|r| r.path.as_str()).collect()
    }

    /// The tenants that have any resource.
    pub fn tenant_ids(&self) -> BTreeSet<i64> {
        self.resources.keys().map(|(tenant, _)| *tenant).collect()
    }

    /// Every resource.
    pub fn all(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// Streams the bytes of the named resources, each as (tenant, path, bytes), in the databases' order. Unknown paths and
    /// folders give nothing.
    pub fn contents<'a>(&'a self, wanted: impl IntoIterator<Item = (i64, &'a str)>) -> Contents<'a> {
        let mut per_source: Vec<HashMap<(i64, i64), Vec<&'a Resource>>> = self.sources.iter().map(|_| HashMap::new()).collect();
        for (tenant, path) in wanted {
            if let Some(resource) = self.at(tenant, path)
                && let Some(content) = resource.content_id
                && let Some(wanted) = per_source.get_mut(resource.source)
            {
                wanted.entry((tenant, content)).or_default().push(resource);
            }
        }
        let waiting = self.sources.iter().map(Arc::clone).zip(per_source).filter(|(_, wanted)| !wanted.is_empty()).collect();
        Contents { waiting, current: None, ready: Vec::new(), too_large: Vec::new() }
    }

    fn add_source(&mut self, source: &Arc<Source>) -> usize {
        match self.sources.iter().position(|s| Arc::ptr_eq(s, source)) {
            Some(at) => at,
            None => {
                self.sources.push(Arc::clone(source));
                self.sources.len() - 1
            }
        }
    }

    async fn read_tree(
        &mut self,
        source_at: usize,
        see: impl Fn(&str) -> Option<String>,
        unreadable: &mut Vec<CellError>,
    ) -> Result<(), SourceError> {
        let Some(source) = self.sources.get(source_at).map(Arc::clone) else { return Ok(()) };
        let mut paths: HashMap<(i64, i64), String> = HashMap::new();
        for row in record::all::<PathRow>(&source, unreadable).await? {
            paths.insert((row.tenant_id, row.id), row.value);
        }
        // `None` for what lives, and is hidden by a mount or stands beside what is mounted.
        let mut by_version: HashMap<(i64, i64), Option<String>> = HashMap::new();
        let mut by_path: HashMap<(i64, i64, Option<String>), Option<String>> = HashMap::new();
        for row in record::all::<ResourceRow>(&source, unreadable).await? {
            let Some(folder) = paths.get(&(row.tenant_id, row.path_id)) else { continue };
            let own = match &row.name {
                Some(name) => format!("{}/{name}", folder.trim_end_matches('/')),
                None => folder.clone(),
            };
            let path = see(&own);
            by_version.insert((row.tenant_id, row.version), path.clone());
            by_path.insert((row.tenant_id, row.path_id, row.name.clone()), path.clone());
            let Some(path) = path else { continue };
            let resource = Resource {
                tenant_id: row.tenant_id,
                path: path.clone(),
                is_collection: row.name.is_none(),
                media_type: row.media_type,
                creator: row.creator,
                created: row.created,
                updater: row.updater,
                updated: row.updated,
                description: row.description,
                uuid: row.uuid,
                properties: Vec::new(),
                tags: Vec::new(),
                content: None,
                content_id: row.content_id,
                source: source_at,
            };
            self.resources.insert((row.tenant_id, path), resource);
        }
        drop(paths);
        // Versioned links name the version; sites that switched versioning off have links that name the path.
        let target = |tenant: i64, version: Option<i64>, path_id: Option<i64>, name: Option<String>| {
            let path = match (version.filter(|v| *v > 0), path_id) {
                (Some(version), _) => by_version.get(&(tenant, version)),
                (None, Some(path_id)) => by_path.get(&(tenant, path_id, name)),
                (None, None) => None,
            };
            path.map(|path| path.clone().map(|path| (tenant, path)))
        };
        let mut properties: HashMap<(i64, i64), Property> = HashMap::new();
        for row in record::all::<PropertyRow>(&source, unreadable).await? {
            properties.insert((row.tenant_id, row.id), Property { name: row.name, value: row.value });
        }
        for link in record::all::<PropertyLink>(&source, unreadable).await? {
            let found = match target(link.tenant_id, link.version, link.path_id, link.name) {
                Some(None) => continue,
                Some(Some(key)) => self.resources.get_mut(&key),
                None => None,
            };
            match (found, properties.get(&(link.tenant_id, link.id))) {
                (Some(resource), Some(property)) => resource.properties.push(property.clone()),
                _ => self.orphan_property_links += 1,
            }
        }
        let mut tags: HashMap<(i64, i64), String> = HashMap::new();
        for row in record::all::<TagRow>(&source, unreadable).await? {
            tags.insert((row.tenant_id, row.id), row.name);
        }
        for link in record::all::<TagLink>(&source, unreadable).await? {
            let found = match target(link.tenant_id, link.version, link.path_id, link.name) {
                Some(None) => continue,
                Some(Some(key)) => self.resources.get_mut(&key),
                None => None,
            };
            match (found, tags.get(&(link.tenant_id, link.id))) {
                (Some(resource), Some(tag)) => {
                    if let Err(at) = resource.tags.binary_search(tag) {
                        resource.tags.insert(at, tag.clone());
                    }
                }
                _ => self.orphan_tag_links += 1,
            }
        }
        for mut association in record::all::<Association>(&source, unreadable).await? {
            if let (Some(from), Some(to)) = (see(&association.source_path), see(&association.target_path)) {
                association.source_path = from;
                association.target_path = to;
                self.associations.push(association);
            }
        }
        Ok(())
    }

    async fn read_contents(&mut self, wanted: impl Fn(&str) -> bool, unreadable: &mut Vec<CellError>) -> Result<(), SourceError> {
        let keys: Vec<(i64, String)> =
            self.resources.values().filter(|r| r.content_id.is_some() && wanted(&r.path)).map(|r| (r.tenant_id, r.path.clone())).collect();
        let mut found = Vec::new();
        let mut contents = self.contents(keys.iter().map(|(tenant, path)| (*tenant, path.as_str())));
        while let Some((tenant, path, bytes)) = contents.next().await? {
            found.push((tenant, path.to_owned(), bytes));
        }
        unreadable.extend(contents.too_large().iter().map(|(tenant, path)| CellError {
            table: "REG_CONTENT".to_owned(),
            column: format!("REG_CONTENT_DATA ({path} of tenant {tenant})"),
            row: 0,
            misfit: Misfit::TooLarge,
            owner: None,
        }));
        for (tenant, path, bytes) in found {
            if let Some(resource) = self.resources.get_mut(&(tenant, path)) {
                resource.content = Some(bytes);
            }
        }
        Ok(())
    }
}

/// The rest of `path` below `folder`, empty for the folder itself.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

type Wanted<'a> = HashMap<(i64, i64), Vec<&'a Resource>>;

/// Bytes of resources, one at a time.
#[derive(Debug)]
pub struct Contents<'a> {
    waiting: Vec<(Arc<Source>, Wanted<'a>)>,
    current: Option<(Rows, Wanted<'a>)>,
    ready: Vec<(i64, &'a str, Vec<u8>)>,
    too_large: Vec<(i64, &'a str)>,
}

impl<'a> Contents<'a> {
    /// Tenants and paths of files passed over so far, because they are larger than a cell may be.
    pub fn too_large(&self) -> &[(i64, &'a str)] {
        &self.too_large
    }

    /// The next resource's tenant, path and bytes.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub async fn next(&mut self) -> Result<Option<(i64, &'a str, Vec<u8>)>, SourceError> {
        loop {
            if let Some(ready) = self.ready.pop() {
                return Ok(Some(ready));
            }
            let Some((rows, wanted)) = &mut self.current else {
                let Some((source, wanted)) = self.waiting.pop() else { return Ok(None) };
                self.current = Some((source.scan("REG_CONTENT"), wanted));
                continue;
            };
            // Once all is found the rest of the table need not be read.
            let row = if wanted.is_empty() { None } else { rows.next().await? };
            let Some(row) = row else {
                self.current = None;
                continue;
            };
            let (Some(id), Some(tenant)) = (row.int("REG_CONTENT_ID")?, row.int("REG_TENANT_ID")?) else { continue };
            let Some(resources) = wanted.remove(&(tenant, id)) else { continue };
            let bytes = match row.bytes("REG_CONTENT_DATA") {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(fault) if fault.misfit == Misfit::TooLarge => {
                    self.too_large.extend(resources.iter().map(|resource| (tenant, resource.path.as_str())));
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            // Copies of one content in two places are rare; the clone is only then.
            let (last, others) = match resources.split_last() {
                Some((last, others)) => (*last, others),
                None => continue,
            };
            for resource in others {
                self.ready.push((tenant, &resource.path, bytes.clone()));
            }
            self.ready.push((tenant, &last.path, bytes));
        }
    }
}

#[cfg(test)]
impl Registry {
    /// Puts a file there.
    pub(crate) fn put(&mut self, tenant_id: i64, path: &str, content: &[u8]) {
        let resource = Resource {
            tenant_id,
            path: path.to_owned(),
            is_collection: false,
            media_type: None,
            creator: None,
            created: None,
            updater: None,
            updated: None,
            description: None,
            uuid: None,
            properties: Vec::new(),
            tags: Vec::new(),
            content: Some(content.to_vec()),
            content_id: Some(1),
            source: 0,
        };
        self.resources.insert((tenant_id, path.to_owned()), resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_not_below_its_namesakes() {
        assert_eq!(below("/_system/governance/x", "/_system/governance"), Some("/x"));
        assert_eq!(below("/_system/governance", "/_system/governance"), Some(""));
        assert_eq!(below("/_system/governance2/x", "/_system/governance"), None);
    }
}
