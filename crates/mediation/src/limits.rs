//! How much one run may use. A run that asks for more ends in a fault, so that one sequence cannot stop a gateway.

/// Bounds of one run, calls and their answers included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Mediators run, each pass of a loop counted.
    pub steps: u32,
    /// Sequences, branches and copies open at once.
    pub depth: usize,
    /// Outside calls of one run.
    pub calls: u32,
    /// Longest body read or written, in bytes; also the longest text a property, an expression or a template makes.
    pub body_bytes: usize,
    /// Most XML elements in a message.
    pub elements: usize,
    /// Deepest nesting of a message, XML or JSON.
    pub nesting: usize,
    /// Nodes that the expressions of one run may visit.
    pub visits: u64,
    /// All log lines together, in bytes; what is over is cut, with a mark.
    pub log_bytes: usize,
    /// Memory of a script, in bytes.
    pub script_bytes: usize,
    /// How many times a script is asked whether it may go on, each after some ten thousand of its instructions. Not a time, so that a run
    /// is the same on a busy machine.
    pub script_turns: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 10_000,
            depth: 64,
            calls: 100,
            body_bytes: 8 * 1024 * 1024,
            elements: 200_000,
            nesting: 200,
            visits: 5_000_000,
            log_bytes: 64 * 1024,
            script_bytes: 16 * 1024 * 1024,
            script_turns: 2_000,
        }
    }
}
