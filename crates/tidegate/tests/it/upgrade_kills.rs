//! Killed at any moment, gone on with: the end is the same as without the kill.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::upgrade_road::{Old, dump, same};

/// How often it is killed, unless `TIDEGATE_KILLS` says otherwise.
const KILLS: u32 = 200;

/// Kills of one target, after which it is let come to its end.
const KILLS_EACH: u32 = 8;

/// Numbers as random as this needs, from a seed that is printed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

/// How one child ended.
enum End {
    Killed { writing: bool },
    Done,
}

/// Runs a command and kills it: so many microseconds after it was started, or after it told of the first batch it wrote.
fn killed(old: &Old, words: &[&str], data: &str, from_first_batch: bool, after: Duration) -> End {
    let mut child = old.command(words, data).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
    let mut writing = false;
    if from_first_batch {
        writing = lines.iter().any(|line| line.contains(" of "));
    }
    // The moment of the kill is what is random here: it is waited for while the child says what it says, or has ended by itself.
    let until = Instant::now() + after;
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        writing |= line.contains(" of ");
    }
    child.kill().unwrap();
    match child.wait().unwrap().code() {
        None => End::Killed { writing: writing || lines.iter().any(|line| line.contains(" of ")) },
        Some(0) => End::Done,
        Some(code) => panic!("ended with {code}: {}", lines.iter().collect::<Vec<_>>().join("\n")),
    }
}

#[tokio::test]
async fn killed_at_any_moment_an_apply_ends_as_if_it_had_not_been() {
    let kills = std::env::var("TIDEGATE_KILLS").ok().map_or(KILLS, |text| text.parse().expect("TIDEGATE_KILLS is a number"));
    let seed = std::env::var("TIDEGATE_SEED").ok().map_or_else(|| u64::from(std::process::id()), |text| text.parse().expect("a number"));
    println!("seed {seed} (TIDEGATE_SEED={seed} gives the same moments)");
    let mut dice = Dice(seed);
    let old = Old::sample();
    old.fine(&["plan"], "whole");
    let started = Instant::now();
    old.fine(&["apply", "upgrade-plan.json", "--batch", "2"], "whole");
    let whole = started.elapsed();
    let expected = dump(&old.at("whole")).await;
    assert!(expected.lines().count() > 300);
    let (mut killed_in_all, mut while_writing, mut targets) = (0, 0, 0);
    while killed_in_all < kills {
        targets += 1;
        let data = format!("data{targets}");
        for turn in 0.. {
            let mut words = vec!["apply", "upgrade-plan.json", "--batch", "2"];
            if turn > 0 {
                words.push("--resume");
            }
            if turn == KILLS_EACH || killed_in_all == kills {
                old.fine(&words, &data);
                break;
            }
            // One in four anywhere, the others while it writes.
            let from_first_batch = dice.below(4) > 0;
            let most = u64::try_from(whole.as_micros()).unwrap() / if from_first_batch { 4 } else { 1 };
            match killed(&old, &words, &data, from_first_batch, Duration::from_micros(dice.below(most))) {
                End::Killed { writing } => {
                    killed_in_all += 1;
                    while_writing += u32::from(writing);
                }
                End::Done => break,
            }
            // Without the word it is told what to type, and writes nothing.
            let status = if old.at(&data).join("tidegate.db").exists() { old.run(&["status"], &data).text } else { String::new() };
            if status.contains("INTERRUPTED") && killed_in_all % 20 == 0 {
                let said = old.refused(&["apply", "upgrade-plan.json"], &data);
                assert!(said.contains("apply upgrade-plan.json --resume"), "{said}");
            }
        }
        same(&dump(&old.at(&data)).await, &expected, &format!("target {targets}, seed {seed}"));
        // The sealed parts, too, and once is enough: they go with their rows.
        if targets == 1 {
            old.fine(&["verify"], &data);
        }
        std::fs::remove_dir_all(old.at(&data)).unwrap();
    }
    println!("{killed_in_all} kills, {while_writing} of them while it wrote, over {targets} targets; one whole run takes {whole:?}");
    assert!(while_writing * 3 > kills, "too few kills hit the writing to prove anything: {while_writing}");
}

#[tokio::test]
async fn a_killed_rollback_is_typed_again_and_ends_as_if_it_had_not_been() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let old = Old::sample();
    let apply = |data: &str| {
        old.fine(&["plan"], data);
        old.fine(&["apply", "upgrade-plan.json"], data);
    };
    apply("whole");
    let started = Instant::now();
    old.fine(&["rollback", "--yes", "--batch", "2"], "whole");
    let whole = u64::try_from(started.elapsed().as_micros()).unwrap();
    let expected = dump(&old.at("whole")).await;
    let mut kills = 0;
    for target in 0..5 {
        let data = format!("data{target}");
        apply(&data);
        for _ in 0..4 {
            let after = Duration::from_micros(dice.below(whole));
            if let End::Killed { .. } = killed(&old, &["rollback", "--yes", "--batch", "2"], &data, false, after) {
                kills += 1;
            }
        }
        if old.run(&["status"], &data).text.contains("INTERRUPTED") {
            let said = old.refused(&["apply", "upgrade-plan.json"], &data);
            assert!(said.contains("type: tidegate upgrade rollback --yes"), "{said}");
        }
        old.fine(&["rollback", "--yes"], &data);
        same(&dump(&old.at(&data)).await, &expected, &format!("target {target}, seed {seed}"));
    }
    assert!(kills > 3, "{kills} kills");
}
