//! Gateway nodes whose files differ: whose are taken, and what is different elsewhere. The rule is [`crate::source::files`]'s.

use super::{About, Desk};

const TAKEN: &str = "The first is taken; calls that the other node answered met something else. Make the nodes alike, or check that the first is what is meant.";
const NOT_TAKEN: &str = "It is not carried: only that node has it. Copy it into the folder whose files are taken if it is meant.";

pub(super) fn tell(desk: &mut Desk<'_>) {
    let Some(nodes) = desk.input.nodes else { return };
    if let Some(instead) = &nodes.instead {
        let words = format!("the installation's own folder holds no gateway's files; those of {} are taken", instead);
        desk.note(About::Installation, "They stand for all nodes.", "--gateway-node", words);
    }
    for difference in &nodes.differences {
        let consequence = if difference.is_taken { TAKEN } else { NOT_TAKEN };
        desk.warn(About::Installation, consequence, difference.file.clone(), difference.words.clone());
    }
    if nodes.differences.is_empty() {
        desk.note(About::Installation, "Any of them stands for all.", "--gateway-node", "the gateway nodes' files are alike");
    }
}
