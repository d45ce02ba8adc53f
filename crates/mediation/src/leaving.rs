//! Where a program would have a message leave for a backend: what has no meaning in a sequence that answers for a refused call.

use std::sync::Arc;

use crate::program::{Action, Program};

/// A step by which the message would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// File.
    pub file: Arc<str>,
    /// Line of the start tag, counted from 1.
    pub line: u32,
    /// Name of the mediator.
    pub mediator: &'static str,
    /// To the API's own backend, as a call without an address is; otherwise to the place that the step names.
    pub to_backend: bool,
}

impl Program {
    /// Every step that sends the message to an address, or calls the API's own backend. A plain `<send/>` is not among them: where a call
    /// is answered for, it answers.
    #[must_use]
    pub fn leaving(&self) -> Vec<Leaving> {
        let steps = self.blocks.iter().flat_map(|block| &block.steps);
        steps
            .filter_map(|step| {
                let to_backend = match &step.action {
                    Action::Send(Some(_)) => false,
                    Action::Call(call) if call.is_to_backend() => true,
                    _ => return None,
                };
                Some(Leaving { file: Arc::clone(&step.file), line: step.line, mediator: step.mediator, to_backend })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Library, Source, compile};

    #[test]
    fn sends_with_an_address_and_calls_without_are_told_by_line() {
        let text = "<sequence>\n<filter source='$ctx:a' regex='b'><then>\n<send><endpoint><address uri='http://x/'/></endpoint></send></then></filter>\n\
                    <call/>\n<call><endpoint><address uri='http://x/'/></endpoint></call>\n<send/></sequence>";
        let program = compile(&Source::new("main.xml", text), &Library::new()).unwrap();
        let mut seen: Vec<_> = program.leaving().into_iter().map(|l| (l.line, l.mediator, l.to_backend)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [(3, "send", false), (4, "call", true)]);
    }
}
