//! `tidegate upgrade rollback`: takes back what was written, and leaves later work.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use upgrade::rollback::{KindBack, Left, Options, TakenBack};
use upgrade::target::Db;

use super::progress::Progress;
use super::{TargetWords, answer, present, present_target, say};

#[derive(Args)]
pub(super) struct RollbackWords {
    /// Do it. Without this word it is only told.
    #[arg(long)]
    yes: bool,
    /// Take also carried records that were changed here since.
    #[arg(long)]
    also_changed: bool,
    /// Which old installation's records, where there are several; as `tidegate upgrade status` names it.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Records in one transaction.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Also write it here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    target: TargetWords,
}

pub(super) async fn run(words: &RollbackWords) -> anyhow::Result<ExitCode> {
    let db = present_target(&words.target).await?;
    let done = take_back(words, &db).await;
    db.close().await;
    let done = done?;
    if let Some(file) = &words.json {
        std::fs::write(file, serde_json::to_string_pretty(&done)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    answer(&text(&done, words.yes));
    Ok(ExitCode::SUCCESS)
}

async fn take_back(words: &RollbackWords, db: &Db) -> anyhow::Result<TakenBack> {
    let sources = upgrade::journal::sources(db).await?;
    let source = match (&words.of, sources.as_slice()) {
        (_, []) => bail!("nothing has been carried here, so there is nothing to take back"),
        (Some(named), all) if all.contains(named) => named,
        (None, [only]) => only,
        (_, all) => bail!("say whose records are to be taken back: --of NAME, one of: {}", all.join(", ")),
    };
    let options = Options { dry: !words.yes, also_changed: words.also_changed, batch: usize::try_from(words.batch)?, now: present() };
    let progress = Progress::new();
    // What is only told is no work done.
    let bar = |kind: &str, done: u64, all: Option<u64>| {
        if words.yes {
            progress.tell(kind, done, all)
        }
    };
    let done = upgrade::rollback::rollback(db, source, &options, &bar).await;
    progress.end();
    if !words.yes {
        say("This is what would be done; nothing was written.");
    }
    done.context("stopped; what was taken back stays so, and nothing is half there. To go on: tidegate upgrade rollback --yes")
}

fn text(done: &TakenBack, did: bool) -> String {
    let title = if did { "Taken back" } else { "Would be taken back" };
    let mut text = format!("{title:<24}{:>9}{:>10}{:>9}{:>8}{:>8}", "removed", "defaults", "missing", "kept", "others");
    let says = |k: &KindBack| [k.removed, k.put_back, k.missing, k.kept, k.others].iter().any(|n| *n > 0);
    if !done.kinds.iter().any(says) {
        return "Nothing that was carried from this old installation is here any more; there is nothing to take back.".to_owned();
    }
    for k in done.kinds.iter().filter(|k| says(k)) {
        text.push_str(&format!("\n  {:<22}{:>9}{:>10}{:>9}{:>8}{:>8}", k.kind, k.removed, k.put_back, k.missing, k.kept, k.others));
    }
    let kept = done.kinds.iter().map(|k| k.kept).sum();
    let others = done.kinds.iter().map(|k| k.others).sum();
    list(&mut text, "Carried, and kept", kept, &done.kept);
    list(&mut text, "Of others, and left alone", others, &done.others);
    if kept > 0 {
        text.push_str("\n\nWhat is kept is known to a later upgrade or rollback; --also-changed takes what was changed here, too.");
    }
    if done.nobody_left {
        text.push_str(
            "\n\nNo user is left: the next `tidegate serve` makes an administrator and shows the password once, as on a first start.",
        );
    }
    if !did {
        text.push_str("\n\nTo do it: tidegate upgrade rollback --yes");
    }
    text
}

fn list(text: &mut String, title: &str, all: u64, some: &[Left]) {
    if all == 0 {
        return;
    }
    text.push_str(&format!("\n\n{title} ({all}):"));
    for left in some {
        text.push_str(&format!("\n  {} {}: {}", left.kind, left.name, left.words));
    }
    let rest = all.saturating_sub(u64::try_from(some.len()).unwrap_or(u64::MAX));
    if rest > 0 {
        text.push_str(&format!("\n  and {rest} more"));
    }
}
