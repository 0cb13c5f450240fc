//! The commands of rules: run their cases, look for mistakes, play the history through them, ask why.
//!
//! Nothing here switches anything: real actuators are driven by the gateway alone, which is told of new
//! rules.

pub(crate) mod arguments;
mod cases;
mod chatter;
mod check;
mod compare;
mod comparison;
mod contest;
mod feed;
mod findings;
mod junit;
mod ledger;
mod list;
mod place;
mod replay;
mod run;
mod script;
mod source;
mod text;
mod timeline;
mod trial;
mod versions;
mod why;

pub(crate) use comparison::replayer;
pub(crate) use ledger::run as ledger;
pub(crate) use place::mistakes;
pub(crate) use text::to_toml;
pub(crate) use trial::trier;
pub(crate) use why::run as why;

use crate::Failure;
use arguments::Rules;

pub(crate) fn run(arguments: &Rules) -> Result<(), Failure> {
    match arguments {
        Rules::List(arguments) => list::list(arguments),
        Rules::Test(arguments) => trial::run(arguments),
        Rules::Check(arguments) => check::run(arguments),
        Rules::Replay(arguments) => replay::run(arguments),
        Rules::Apply(arguments) => versions::apply(arguments),
        Rules::Versions(arguments) => versions::versions(arguments),
        Rules::Rollback(arguments) => versions::rollback(arguments),
    }
}
