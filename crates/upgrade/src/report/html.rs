//! The report as one page that needs nothing else: no script, no outside style, fit to be mailed and printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::verdict::Mood;
use super::{Report, groups_of};
use crate::plan::Tally;
use crate::replay::{Replayed, Shown};
use crate::translate::{Account, Severity};
use crate::verify::{Compared, Verification};

/// Findings shown one by one in a group; the JSON has all.
const SHOWN: usize = 200;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#16212b;--soft:#5a6b7a;--line:#d9e0e6;--good:#0b6e4f;--bad:#a4243b;--look:#8a5a00;--paper:#fff;--band:#f4f7f9}\
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ec;--soft:#9aa9b5;--line:#33414d;--good:#5ec99f;--bad:#f08a9b;--look:#e0b04c;--paper:#161d24;--band:#1e272f}}\
*{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--band)}\
main{max-width:72rem;margin:0 auto;padding:2rem 1.5rem;background:var(--paper);min-height:100vh}\
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}\
p{margin:.3rem 0}.soft{color:var(--soft)}.verdict{margin:1.2rem 0;padding:.9rem 1.1rem;border-left:.4rem solid;background:var(--band);font-weight:600}\
.next{color:var(--ink);font-weight:400}.good{color:var(--good)}.bad{color:var(--bad)}.look{color:var(--look)}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:.3rem .6rem;text-align:right;vertical-align:top}\
tr+tr>*{border-top:1px solid var(--line)}th:first-child,td:first-child,.words{text-align:left}th{color:var(--soft);font-weight:600;white-space:nowrap}\
.stakes td{white-space:nowrap}.stakes .words{white-space:normal;width:100%}.wide{overflow-x:auto}\
details{border:1px solid var(--line);border-left:.3rem solid;border-radius:.2rem;margin:.5rem 0;padding:.5rem .8rem}\
summary{cursor:pointer;font-weight:600;color:var(--ink)}summary::marker{color:var(--soft)}.fold{border-left-color:var(--line)}\
ul{margin:.4rem 0;padding-left:1.4rem}details li{color:var(--ink);margin:.15rem 0;overflow-wrap:anywhere}code{font-size:.9em;color:var(--soft)}\
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--good:#0b6e4f;--bad:#a4243b;--look:#8a5a00;--paper:#fff;--band:#fff}\
body{font-size:10pt}main{max-width:none;padding:0}details::details-content{content-visibility:visible}li,tr,summary{break-inside:avoid}\
h2,summary{break-after:avoid}.wide{overflow:visible}}";

/// The whole page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    push(
        &mut out,
        format!("<title>Upgrade {}: WSO2 API Manager {}</title><style>{STYLE}</style></head><body><main>", report.command, report.version),
    );
    head(&mut out, report);
    conflicts(&mut out, report);
    if let Some(verification) = report.verification {
        differences(&mut out, verification);
    }
    stakes(&mut out, report);
    findings(&mut out, report);
    left(&mut out, report);
    match report.verification {
        Some(verification) => compared(&mut out, verification),
        None => records(&mut out, report.written.as_ref().map_or(report.records, |w| w.records)),
    }
    tables(&mut out, report);
    out.push_str("</main></body></html>\n");
    out
}

fn push(out: &mut String, text: impl AsRef<str>) {
    out.push_str(text.as_ref());
    out.push('\n');
}

/// Text as it may stand anywhere in the page.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Neither means anything in a report, and some would reorder what is read.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn head(out: &mut String, report: &Report<'_>) {
    push(out, format!("<h1>Upgrade of WSO2 API Manager {}: {}</h1>", safe(report.version), report.command));
    push(out, format!("<p class=\"soft\">{}</p>", safe(&report.databases.join(", "))));
    push(out, format!("<p class=\"soft\">Times read as of {}</p>", safe(report.time_zone)));
    let verdict = report.verdict();
    let class = match verdict.mood {
        Mood::Good => "good",
        Mood::Look => "look",
        Mood::Bad => "bad",
    };
    let next = verdict.next.map(|next| format!("<br><span class=\"next\">Next: {}</span>", safe(next))).unwrap_or_default();
    push(out, format!("<p class=\"verdict {class}\">{}{next}</p>", safe(&verdict.words)));
}

fn stakes(out: &mut String, report: &Report<'_>) {
    if report.stakes.is_empty() {
        return;
    }
    push(
        out,
        "<h2>What is at stake</h2><div class=\"wide\"><table class=\"stakes\"><tr><th>here</th><th>how many</th><th class=\"words\"></th></tr>",
    );
    for stake in &report.stakes {
        let (class, word) = if stake.lost { ("bad", "lost") } else { ("good", "kept") };
        push(
            out,
            format!("<tr><td class=\"{class}\">{word}</td><td>{}</td><td class=\"words\">{}</td></tr>", stake.count, safe(&stake.words)),
        );
    }
    push(out, "</table></div>");
}

fn row(out: &mut String, name: &str, cells: &[u64]) {
    let mut line = format!("<tr><td>{}</td>", safe(name));
    for cell in cells {
        // Writing to a String cannot fail.
        let _ = write!(line, "<td>{cell}</td>");
    }
    push(out, line + "</tr>");
}

fn heading(out: &mut String, title: &str, columns: &[&str]) {
    push(out, format!("<h2>{title}</h2>"));
    table(out, columns);
}

fn table(out: &mut String, columns: &[&str]) {
    let cells: String = columns.iter().map(|c| format!("<th>{c}</th>")).collect();
    push(out, format!("<div class=\"wide\"><table><tr><th></th>{cells}</tr>"));
}

fn records(out: &mut String, tallies: &[Tally]) {
    heading(out, "Records", &["in the source", "new", "replaced", "changed", "the same", "in the way"]);
    rows(out, tallies.iter().map(|t| (t.kind, vec![t.source, t.new, t.replaces, t.changed, t.same, t.conflicts])));
}

/// The rows that say something, the names of the others, and the end of the table.
fn rows<'a>(out: &mut String, all: impl Iterator<Item = (&'a str, Vec<u64>)>) {
    let mut silent = Vec::new();
    for (name, cells) in all {
        match cells.iter().any(|n| *n > 0) {
            true => row(out, name, &cells),
            false => silent.push(safe(name)),
        }
    }
    push(out, "</table></div>");
    if !silent.is_empty() {
        push(out, format!("<p class=\"soft\">None: {}</p>", silent.join(", ")));
    }
}

fn compared(out: &mut String, verification: &Verification) {
    for (title, kinds) in
        [("Records compared", &verification.kinds), ("Old cells held against the new installation", &verification.straight)]
    {
        heading(out, title, &["in the source", "here", "equal", "lived on", "missing", "different"]);
        rows(
            out,
            kinds.iter().map(|Compared { kind, source, target, equal, lived_on, missing, different, .. }| {
                (*kind, vec![*source, *target, *equal, *lived_on, *missing, *different])
            }),
        );
    }
}

/// What differs, before everything that does not.
fn differences(out: &mut String, verification: &Verification) {
    if let Some(replayed) = &verification.replay {
        calls(out, replayed);
    }
    if verification.differences.is_empty() {
        return;
    }
    push(out, format!("<h2>Differences ({})</h2><ul>", verification.differing));
    for d in &verification.differences {
        let words = format!("{} {}: {} should be {}, is {}", d.kind, d.key, d.field, d.source, d.target);
        push(out, format!("<li class=\"bad\">{}</li>", safe(&words)));
    }
    push(out, "</ul>");
}

fn calls(out: &mut String, r: &Replayed) {
    heading(out, "Calls of both gateways", &["made", "alike", "but for dates", "throttled by one", "unanswered", "different"]);
    row(out, "calls", &[r.calls, r.alike, r.volatile, r.throttled, r.unanswered, r.differing]);
    push(out, "</table></div><ul>");
    for unlike in &r.differences {
        let status = |shown: &Shown| shown.status.map_or_else(|| "none".to_owned(), |s| s.to_string());
        let call = format!("{}: {} {} by {}: {}", unlike.api, unlike.verb, unlike.path, unlike.credential, unlike.what.join(", "));
        let sides = [("old", &unlike.old), ("new", &unlike.new)].map(|(side, shown)| {
            let headers: Vec<String> = shown.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("<br>{side}: <code>{} {} {}</code>", status(shown), safe(&headers.join(", ")), safe(&shown.body))
        });
        push(out, format!("<li class=\"bad\">{}{}</li>", safe(&call), sides.concat()));
    }
    push(out, "</ul>");
}

fn conflicts(out: &mut String, report: &Report<'_>) {
    if report.conflicts.is_empty() {
        return;
    }
    push(out, "<h2>In the way</h2><ul>");
    for c in report.conflicts {
        push(out, format!("<li class=\"bad\">{}</li>", safe(&format!("{} {}: {}", c.kind, c.key, c.words))));
    }
    push(out, "</ul>");
}

fn findings(out: &mut String, report: &Report<'_>) {
    for (severity, title, class) in [
        (Severity::Blocking, "To be settled before anything is written", "bad"),
        (Severity::Warning, "To look at", "look"),
        (Severity::Note, "Good to know", "soft"),
    ] {
        let groups = groups_of(&report.findings, severity);
        if groups.is_empty() {
            continue;
        }
        let all: usize = groups.iter().map(|g| g.len()).sum();
        push(out, format!("<h2>{title} ({all})</h2>"));
        for group in groups {
            let Some(first) = group.first() else { continue };
            // What must be settled stands open.
            let open = if severity == Severity::Blocking { " open" } else { "" };
            push(
                out,
                format!(
                    "<details class=\"{class}\"{open}><summary>{} ({}): {}<br><span class=\"next\">{}</span></summary><ul>",
                    first.about.word(),
                    group.len(),
                    safe(first.consequence),
                    // Folded, a consequence alone does not tell of what.
                    safe(&first.words)
                ),
            );
            for finding in group.iter().take(SHOWN) {
                push(out, format!("<li>{} <code>{}</code></li>", safe(&finding.words), safe(&finding.origin)));
            }
            if group.len() > SHOWN {
                push(out, format!("<li>and {} more, which the JSON report lists</li>", group.len() - SHOWN));
            }
            push(out, "</ul></details>");
        }
    }
}

fn left(out: &mut String, report: &Report<'_>) {
    if report.not_yet_carried.is_empty() {
        return;
    }
    heading(out, "Read, but not carried by this version", &["rows"]);
    for (what, n) in &report.not_yet_carried {
        row(out, what, &[*n]);
    }
    push(out, "</table></div>");
}

/// Folded: it is the proof that nothing was passed over, and long.
fn tables(out: &mut String, report: &Report<'_>) {
    let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
    let cells = |a: &Account| [a.rows, a.imported, a.merged, sum(&a.skipped), sum(&a.not_yet), sum(&a.failed)];
    let accounts = || report.tables.accounts().filter(|(_, account)| account.rows > 0);
    let all: u64 = accounts().map(|(_, account)| account.rows).sum();
    let columns = ["rows", "carried", "merged", "not needed", "not yet carried", "failed"];
    push(out, "<h2>Every old row</h2>");
    push(out, format!("<details class=\"fold\"><summary>{all} rows of {} tables, each accounted for</summary>", accounts().count()));
    table(out, &columns);
    for (name, account) in accounts() {
        row(out, name, &cells(account));
        for (tenant, part) in report.tables.by_tenant(name) {
            row(out, &format!("\u{2003}{tenant}"), &cells(part));
        }
    }
    push(out, "</table></div></details>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_source_cannot_become_markup() {
        assert_eq!(safe("<script>'\"&\u{202e}\u{0}"), "&lt;script&gt;&#39;&quot;&amp;\u{fffd}\u{fffd}");
    }
}
