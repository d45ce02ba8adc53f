//! Several gateway nodes of one installation, whose files ought to be the same and often are not: somebody mended a sequence on one node, a
//! deployment did not reach another. Which calls met which file was the load balancer's chance; here one node's files are taken, and every
//! difference is named, so that somebody can decide.
//!
//! The rule: the installation's own folder is taken where it holds a gateway's files, and else the first node that does. What only another
//! node has is not taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::deployed::{self, SynapseFile};
use super::document;
use crate::digests::hex;
use crate::source::location::shown_url;
use crate::source::{Element, SourceError, parse_xml};

/// Settings that differ, named at most in one difference.
const NAMED_MAX: usize = 10;

/// A file that two nodes do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDifference {
    /// The file, below a node's folder.
    pub file: String,
    /// The node whose files are taken, as the command line names it: plans hold no paths.
    pub taken: String,
    /// The other.
    pub other: String,
    /// How the two differ. Shows no contents but for settings that hold no secret.
    pub words: String,
    /// Whether `taken` has the file.
    pub is_taken: bool,
}

/// What a gateway's files come to, over all its nodes.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    /// The files to take; handed over to the installation by [`super::Home::join`].
    pub synapse: Vec<SynapseFile>,
    /// The node they are of, where it is not the installation's own folder.
    pub instead: Option<String>,
    /// How the others differ.
    pub differences: Vec<NodeDifference>,
}

struct Node<'a> {
    path: &'a Path,
    name: String,
}

/// Reads the nodes and holds them against each other. `own` is what the installation's own folder `root` has.
///
/// # Errors
///
/// [`SourceError`] when a folder is none of a gateway, or a file cannot be read.
pub(super) fn compare(root: &Path, own: Vec<SynapseFile>, nodes: &[PathBuf]) -> Result<Nodes, SourceError> {
    let mut found = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if !node.join("repository").is_dir() {
            return Err(SourceError::NotAHome { path: node.clone(), reason: "it has no folder repository".into() });
        }
        found.push((Node { path: node, name: format!("--gateway-node {}", at + 1) }, deployed::synapse(node)?));
    }
    let root = Node { path: root, name: "--source".to_owned() };
    let stands_in = found.iter().position(|(_, files)| own.is_empty() && !files.is_empty());
    let (taken, synapse, others) = match stands_in {
        Some(at) => {
            let (node, files) = found.remove(at);
            (node, files, found)
        }
        None => (root, own, found),
    };
    let mut done = Nodes { instead: stands_in.map(|_| taken.name.clone()), ..Nodes::default() };
    for (other, files) in &others {
        let difference = |file: String, words: String, is_taken: bool| NodeDifference {
            file,
            taken: taken.name.clone(),
            other: other.name.clone(),
            words,
            is_taken,
        };
        let sides = (by_path(&synapse), by_path(files));
        let all: BTreeSet<&String> = sides.0.keys().chain(sides.1.keys()).collect();
        for path in all {
            let opened = |side: &BTreeMap<String, &SynapseFile>| side.get(path).map(|file| file.bytes.open());
            let words = match (&opened(&sides.0), &opened(&sides.1)) {
                (Some(here), Some(there)) if alike(here, there) => continue,
                (Some(here), Some(there)) => format!(
                    "{}, and {}; they part in line {}",
                    described(here, &taken.name),
                    described(there, &other.name),
                    first_line(here, there)
                ),
                (Some(here), None) => format!("{}, and not there in {}", described(here, &taken.name), other.name),
                (None, Some(there)) => format!("not there in {}, and {}", taken.name, described(there, &other.name)),
                (None, None) => continue,
            };
            done.differences.push(difference(path.clone(), words, sides.0.contains_key(path)));
        }
        for file in ["repository/conf/api-manager.xml", "repository/conf/tiers.xml", "repository/resources/default-tiers.xml"] {
            let (here, there) = (document(&taken.path.join(file))?, document(&other.path.join(file))?);
            let is_taken = here.is_some();
            if let Some(words) = settings(here.as_ref(), there.as_ref(), &taken.name, &other.name) {
                done.differences.push(difference(file.to_owned(), words, is_taken));
            }
        }
    }
    done.synapse = synapse;
    Ok(done)
}

fn by_path(files: &[SynapseFile]) -> BTreeMap<String, &SynapseFile> {
    let folder = |tenant: i64| match tenant {
        deployed::SUPER_TENANT => "repository/deployment/server".to_owned(),
        tenant => format!("repository/tenants/{tenant}"),
    };
    let path = |f: &SynapseFile| format!("{}/synapse-configs/default/{}/{}.xml", folder(f.tenant_id), f.kind, f.name);
    files.iter().map(|f| (path(f), f)).collect()
}

/// Whether two files say the same, however they are laid out.
fn alike(here: &[u8], there: &[u8]) -> bool {
    let bare = |bytes: &[u8]| parse_xml(bytes).ok().map(bare);
    here == there || bare(here).is_some_and(|tree| Some(tree) == bare(there))
}

fn bare(mut element: Element) -> Element {
    element.text = element.text.trim().to_owned();
    element.children = element.children.into_iter().map(bare).collect();
    element
}

fn described(bytes: &[u8], node: &str) -> String {
    let sum = hex(digest(&SHA256, bytes).as_ref().get(..6).unwrap_or_default());
    format!("{} bytes with SHA-256 {sum}… in {node}", bytes.len())
}

fn first_line(here: &[u8], there: &[u8]) -> usize {
    let (here, there) = (here.split(|b| *b == b'\n'), there.split(|b| *b == b'\n'));
    here.zip(there).take_while(|(a, b)| a.trim_ascii() == b.trim_ascii()).count() + 1
}

/// Which settings differ; `None` when none does, or either side lacks the file as a manager's folder may.
fn settings(here: Option<&Element>, there: Option<&Element>, taken: &str, other: &str) -> Option<String> {
    let sides = (leaves(here?), leaves(there?));
    let all: BTreeSet<&String> = sides.0.keys().chain(sides.1.keys()).collect();
    let mut named = Vec::new();
    for path in all.into_iter().filter(|path| sides.0.get(*path) != sides.1.get(*path)) {
        let value = |side: &BTreeMap<String, String>| match side.get(path) {
            None => "nothing".to_owned(),
            Some(_) if is_secret(path) => "(secret)".to_owned(),
            Some(value) => format!("'{}'", shown_url(value).chars().take(60).collect::<String>()),
        };
        named.push(format!("{path}: {} in {taken}, {} in {other}", value(&sides.0), value(&sides.1)));
    }
    let more = named.len().saturating_sub(NAMED_MAX);
    named.truncate(NAMED_MAX);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    (!named.is_empty()).then(|| named.join("; "))
}

fn is_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["password", "secret", "token", "key", "credential"].iter().any(|word| path.contains(word))
}

/// Texts by the path to them; those of the same path are joined.
fn leaves(root: &Element) -> BTreeMap<String, String> {
    fn walk(element: &Element, path: &str, found: &mut BTreeMap<String, String>) {
        let path = if path.is_empty() { element.name.clone() } else { format!("{path}/{}", element.name) };
        let mut note = |path: String, text: &str| {
            let slot = found.entry(path).or_default();
            if !slot.is_empty() {
                slot.push_str(", ");
            }
            slot.push_str(text.trim());
        };
        for (name, value) in &element.attributes {
            note(format!("{path}@{name}"), value);
        }
        if !element.text.trim().is_empty() {
            note(path.clone(), &element.text);
        }
        element.children.iter().for_each(|child| walk(child, &path, found));
    }
    let mut found = BTreeMap::new();
    walk(root, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    const SEQUENCES: &str = "repository/deployment/server/synapse-configs/default/sequences";

    #[test]
    fn every_difference_is_named_with_both_sides_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for node in [&one, &two] {
            put(node, &format!("{SEQUENCES}/same.xml"), "<sequence name=\"same\"/>");
        }
        put(&one, &format!("{SEQUENCES}/layout.xml"), "<sequence name='l'><log/></sequence>");
        put(&two, &format!("{SEQUENCES}/layout.xml"), "<sequence name='l'>\n  <log/>\n</sequence>\n");
        put(&one, &format!("{SEQUENCES}/mended.xml"), "<sequence>\n<property name='Authorization' value='hunter2'/></sequence>");
        put(&two, &format!("{SEQUENCES}/mended.xml"), "<sequence>\n<property name='Authorization' value='hunter3'/></sequence>");
        put(&two, "repository/tenants/7/synapse-configs/default/api/admin--Late_v1.xml", "<api name='admin--Late'/>");
        put(&one, "repository/conf/api-manager.xml", "<A><GatewayType>Synapse</GatewayType><Password>hunter2</Password></A>");
        put(&two, "repository/conf/api-manager.xml", "<A><GatewayType>Other</GatewayType><Password>hunter3</Password></A>");
        let own = deployed::synapse(&one).unwrap();
        let nodes = compare(&one, own, std::slice::from_ref(&two)).unwrap();
        assert_eq!((nodes.synapse.len(), &nodes.instead), (3, &None));
        let told: Vec<(&str, bool)> = nodes.differences.iter().map(|d| (d.file.rsplit('/').next().unwrap(), d.is_taken)).collect();
        assert_eq!(told, [("mended.xml", true), ("admin--Late_v1.xml", false), ("api-manager.xml", true)]);
        let words: String = nodes.differences.iter().map(|d| format!("{} {}\n", d.file, d.words)).collect();
        assert!(words.contains("they part in line 2") && words.contains("A/GatewayType: 'Synapse' in "), "{words}");
        assert!(words.contains("A/Password: (secret) in ") && !words.contains("hunter"), "{words}");
    }

    #[test]
    fn the_first_node_stands_in_for_a_folder_without_a_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let (manager, bare, node) = (folder.path().join("manager"), folder.path().join("bare"), folder.path().join("node"));
        put(&manager, "repository/conf/api-manager.xml", "<A/>");
        put(&bare, "repository/conf/api-manager.xml", "<A/>");
        put(&node, &format!("{SEQUENCES}/main.xml"), "<sequence name='main'/>");
        let nodes = compare(&manager, Vec::new(), &[bare.clone(), node.clone()]).unwrap();
        assert_eq!((nodes.synapse.len(), nodes.instead.as_deref()), (1, Some("--gateway-node 2")));
        let [difference] = nodes.differences.as_slice() else { panic!("{:?}", nodes.differences) };
        assert!(difference.words.contains("and not there in") && difference.other == "--gateway-node 1", "{difference:?}");
        assert!(matches!(compare(&manager, Vec::new(), &[folder.path().join("none")]), Err(SourceError::NotAHome { .. })));
    }
}
