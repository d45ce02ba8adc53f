//! Whether a program looks into the body that comes, and whether it makes another: known before it runs, so that a gateway can stream.
//!
//! A mediator that reads after another body was surely made reads that one, not the one that came.

use crate::mediators::cache::Cache;
use crate::program::{Action, BlockId, BodyUse, Program};

/// What a way through a block does.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    reads: bool,
    writes: bool,
    /// Every way through it makes another body.
    surely: bool,
}

pub(crate) fn of(program: &Program) -> BodyUse {
    let mut open = Vec::new();
    let ways = block(program, program.entry, &mut open);
    // What runs after a failure may meet the body at any point.
    let mut handlers = Ways::default();
    for id in program.blocks.iter().filter_map(|block| block.on_error) {
        let ways = block(program, id, &mut open);
        handlers.reads |= ways.reads;
        handlers.writes |= ways.writes;
    }
    BodyUse { reads: ways.reads || handlers.reads, writes: ways.writes || handlers.writes }
}

fn block(program: &Program, id: BlockId, open: &mut Vec<BlockId>) -> Ways {
    // A sequence that names itself does no more than it does.
    if open.contains(&id) {
        return Ways::default();
    }
    open.push(id);
    let mut all = Ways::default();
    for step in program.block(id).map(|block| block.steps.as_slice()).unwrap_or_default() {
        let ways = action(program, &step.action, open);
        all.reads |= ways.reads && !all.surely;
        all.writes |= ways.writes;
        all.surely |= ways.surely;
    }
    open.pop();
    all
}

fn either(branches: impl IntoIterator<Item = Ways>, reads: bool) -> Ways {
    let mut all = Ways { reads, writes: false, surely: true };
    for ways in branches {
        all.reads |= ways.reads;
        all.writes |= ways.writes;
        all.surely &= ways.surely;
    }
    all
}

fn action(program: &Program, action: &Action, open: &mut Vec<BlockId>) -> Ways {
    let plain = |reads| Ways { reads, ..Ways::default() };
    match action {
        Action::Block(id) => block(program, *id, open),
        Action::Chosen(name, blocks) => {
            let branches: Vec<Ways> = blocks.values().map(|id| block(program, *id, open)).collect();
            either(branches, name.reads_body())
        }
        Action::Directed(_, id) => either([block(program, *id, open), Ways::default()], false),
        // What comes after never runs.
        Action::Drop | Action::Respond | Action::Loopback => Ways { surely: true, ..Ways::default() },
        Action::Send(_) | Action::Nothing => Ways::default(),
        Action::Call(call) => {
            let after = call.receive.map(|id| block(program, id, open)).unwrap_or_default();
            Ways { reads: call.reads_body(), writes: true, surely: call.replaces_body() || after.surely }
        }
        Action::Property(properties) => {
            Ways { reads: properties.iter().any(|p| p.reads_body()), writes: properties.iter().any(|p| p.rewrites_body()), surely: false }
        }
        Action::Header(header) => Ways { reads: header.reads_body(), writes: header.writes_body(), surely: false },
        Action::Log(log) => plain(log.reads_body()),
        Action::Filter(filter) => {
            let branches = [block(program, filter.then, open), block(program, filter.otherwise, open)];
            either(branches, filter.reads_body())
        }
        Action::Switch(switch) => {
            let ids = switch.cases.iter().map(|(_, id)| *id).chain([switch.otherwise]);
            let branches: Vec<Ways> = ids.map(|id| block(program, id, open)).collect();
            either(branches, switch.reads_body())
        }
        Action::Payload(factory) => Ways { reads: factory.reads_body(), writes: true, surely: true },
        Action::MakeFault(fault) => Ways { reads: fault.reads_body(), writes: true, surely: true },
        Action::Enrich(enrich) => Ways { reads: enrich.reads_body(), writes: enrich.writes_body(), surely: false },
        Action::Rewrite(rewrite) => plain(rewrite.reads_body()),
        Action::Validate(validate) => either([block(program, validate.on_fail, open), Ways::default()], true),
        Action::Throttle(throttle) => {
            let way = |id: Option<BlockId>, open: &mut Vec<BlockId>| id.map(|id| block(program, id, open)).unwrap_or_default();
            either([way(throttle.accepted, open), way(throttle.rejected, open)], false)
        }
        // The body tells requests apart; a kept answer is one that nothing else in this program made.
        Action::Cache(Cache::Finder(finder)) => {
            let hit = finder.on_hit.map(|id| block(program, id, open)).unwrap_or_default();
            either([hit, Ways { writes: true, ..Ways::default() }], true)
        }
        Action::Cache(Cache::Collector) => plain(true),
        Action::Xslt(xslt) => Ways { reads: true, writes: xslt.writes_body(), surely: false },
        Action::Script(_) => Ways { reads: true, writes: true, surely: false },
        Action::Loop(_) | Action::Clone(_) | Action::Aggregate(_) => Ways { reads: true, writes: true, surely: false },
        Action::Template(call) => {
            let inner = block(program, call.block, open);
            Ways { reads: inner.reads || call.reads_body(), ..inner }
        }
        Action::Own(own) => plain(own.reads_body()),
    }
}
