//! A compiled sequence: blocks of steps, each step with all it needs, so that a run parses nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::expression::Text;
use crate::mediators::aggregate::Aggregate;
use crate::mediators::cache::Cache;
use crate::mediators::call::CallOut;
use crate::mediators::class::Own;
use crate::mediators::enrich::Enrich;
use crate::mediators::header::SetHeader;
use crate::mediators::log::SaySo;
use crate::mediators::loops::{Clones, Loop};
use crate::mediators::make_fault::MakeFault;
use crate::mediators::payload_factory::PayloadFactory;
use crate::mediators::property::SetProperty;
use crate::mediators::rewrite::Rewrite;
use crate::mediators::route::{Filter, Switch};
use crate::mediators::script::Script;
use crate::mediators::template::CallTemplate;
use crate::mediators::throttle::Throttle;
use crate::mediators::validate::Validate;
use crate::mediators::xslt::Xslt;
use crate::obstacle::Note;

/// A sequence that can run. Cheap to share; holds no state of a run.
#[derive(Debug)]
pub struct Program {
    pub(crate) blocks: Vec<Block>,
    pub(crate) entry: BlockId,
    pub(crate) body: BodyUse,
    pub(crate) notes: Vec<Note>,
    /// Texts that `get-property` finds by their key.
    pub(crate) entries: BTreeMap<String, Arc<str>>,
}

/// Whether a program needs the body that comes, and whether it may put another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyUse {
    /// Some way through the program looks into the body: give it whole, with [`Payload::whole`](crate::Payload::whole).
    pub reads: bool,
    /// Some way through the program makes another body. One that writes and does not read may be run before the body has come; if
    /// [`Payload::rewritten`](crate::Payload::rewritten) then says so, the body that came is to be thrown away.
    pub writes: bool,
}

impl Program {
    /// What it does with the body. With neither, the body can be streamed past it.
    #[must_use]
    pub fn body_use(&self) -> BodyUse {
        self.body
    }

    /// What runs otherwise than it did.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether it does nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.block(self.entry).is_none_or(|block| block.steps.is_empty())
    }

    pub(crate) fn block(&self, id: BlockId) -> Option<&Block> {
        self.blocks.get(id.0)
    }
}

/// Place of a block in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockId(pub(crate) usize);

/// A sequence or branch.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) steps: Vec<Step>,
    /// What runs when a step in it fails.
    pub(crate) on_error: Option<BlockId>,
}

/// A mediator and its place.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(crate) mediator: &'static str,
    pub(crate) action: Action,
}

impl Action {
    /// Step of the same block that brings copies together which this one makes.
    pub(crate) fn gathered_at(&self) -> Option<usize> {
        match self {
            Self::Loop(looped) => looped.gathered_at,
            Self::Clone(clones) => clones.gathered_at,
            _ => None,
        }
    }

    /// Blocks that may run because of it.
    pub(crate) fn blocks(&self) -> Vec<BlockId> {
        match self {
            Self::Block(id) | Self::Directed(_, id) => vec![*id],
            Self::Chosen(_, blocks) => blocks.values().copied().collect(),
            Self::Filter(filter) => vec![filter.then, filter.otherwise],
            Self::Switch(switch) => switch.cases.iter().map(|(_, id)| *id).chain([switch.otherwise]).collect(),
            Self::Template(call) => vec![call.block],
            Self::Loop(looped) => vec![looped.block],
            Self::Clone(clones) => clones.blocks.clone(),
            Self::Aggregate(aggregate) => vec![aggregate.then],
            Self::Validate(validate) => vec![validate.on_fail],
            Self::Call(call) => call.receive.into_iter().collect(),
            Self::Throttle(throttle) => throttle.accepted.into_iter().chain(throttle.rejected).collect(),
            Self::Cache(Cache::Finder(finder)) => finder.on_hit.into_iter().collect(),
            Self::Drop
            | Self::Respond
            | Self::Loopback
            | Self::Send(_)
            | Self::Property(_)
            | Self::Header(_)
            | Self::Log(_)
            | Self::Payload(_)
            | Self::MakeFault(_)
            | Self::Enrich(_)
            | Self::Script(_)
            | Self::Xslt(_)
            | Self::Rewrite(_)
            | Self::Own(_)
            | Self::Cache(Cache::Collector)
            | Self::Nothing => Vec::new(),
        }
    }
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Runs another block, then goes on.
    Block(BlockId),
    /// Runs the block of the name that the text gives.
    Chosen(Text, BTreeMap<String, BlockId>),
    /// Runs a block in messages of one direction: `in`, `out`.
    Directed(crate::Direction, BlockId),
    Drop,
    Respond,
    Loopback,
    /// To the client in an answer; in a request to the endpoint, or to the API's backend.
    Send(Option<Endpoint>),
    Call(CallOut),
    Property(Vec<SetProperty>),
    Header(SetHeader),
    Log(SaySo),
    Filter(Filter),
    Switch(Switch),
    Payload(Box<PayloadFactory>),
    MakeFault(Box<MakeFault>),
    Enrich(Box<Enrich>),
    Script(Script),
    Xslt(Box<Xslt>),
    Rewrite(Box<Rewrite>),
    Validate(Box<Validate>),
    Throttle(Box<Throttle>),
    Cache(Cache),
    Loop(Loop),
    Clone(Clones),
    /// Makes one message of what the copies before it brought.
    Aggregate(Aggregate),
    /// Runs a block with parameters of its own.
    Template(CallTemplate),
    /// What one of the old product's own classes did.
    Own(Own),
    /// Tidegate does it by itself, as a note says.
    Nothing,
}
