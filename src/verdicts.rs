//! Verdicts as a table for the terminal, as Markdown, and as JSON.

use crate::verify::{Judged, Ruling};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, presets};
use mta_sims::claims::{Claim, Margin, Verdict};
use serde_json::{Value, json};

const HEADER: [&str; 8] = ["claim", "rung", "verdict", "margin", "bounds", "seeds", "smallest margin at", "counterexample"];

/// The table for the terminal.
pub fn table(judged: &[Judged]) -> String {
    let mut table = comfy_table::Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line)).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    judged.iter().for_each(|j| {
        table.add_row(row(j));
    });
    for column in [3, 4, 5] {
        table.column_mut(column).expect("there are eight columns").set_cell_alignment(CellAlignment::Right);
    }
    table.to_string().lines().map(|line| line.trim_end().to_string() + "\n").collect()
}

fn row(j: &Judged) -> [String; 8] {
    let (place, margin) = j.ruling.smallest();
    [
        j.claim.id.into(),
        j.trial.rung.to_string(),
        verdict(j),
        number(margin.value),
        bounds(margin),
        if j.ruling.seeds > 0 { j.ruling.seeds.to_string() } else { String::new() },
        place.to_string(),
        j.counterexample.as_ref().map_or(String::new(), |c| format!("{} ({})", c.verdict, number(c.smallest().1.value))),
    ]
}

impl Ruling {
    /// Place and margin of the part with the smallest margin.
    pub fn smallest(&self) -> (&str, &Margin) {
        let (place, margin) = &self.margins[self.worst];
        (place, margin)
    }
}

/// The verdict, with a mark where it is not the expected one.
fn verdict(j: &Judged) -> String {
    match (j.is_expected(), j.ruling.verdict == j.trial.expected) {
        (false, _) => format!("{} (expected {})", j.ruling.verdict, j.trial.expected),
        (true, true) if j.trial.expected == Verdict::Fails => "fails, as expected".into(),
        _ => j.ruling.verdict.to_string(),
    }
}

/// Three decimals with a sign; nothing where there is no number.
fn number(x: f64) -> String {
    if x.is_finite() { format!("{x:+.3}") } else { String::new() }
}

fn bounds(margin: &Margin) -> String {
    if margin.low == margin.high { "exact".into() } else { format!("{} {}", number(margin.low), number(margin.high)) }
}

/// One line: how many verdicts of each kind, and which were not expected.
pub fn sentence(judged: &[Judged], alpha: f64) -> String {
    let count = |verdict| judged.iter().filter(|j| j.ruling.verdict == verdict).count();
    let unexpected: Vec<String> = judged.iter().filter(|j| !j.is_expected()).map(name).collect();
    let tail = if unexpected.is_empty() { "all as expected".into() } else { format!("not as expected: {}", unexpected.join(", ")) };
    format!(
        "{} hold, {} fail, {} undecided; {tail}. Each verdict is wrong with probability at most {alpha}, whenever one looks.",
        count(Verdict::Holds),
        count(Verdict::Fails),
        count(Verdict::Undecided)
    )
}

/// `claim on rung`.
pub fn name(j: &Judged) -> String {
    format!("{} on {}", j.claim.id, j.trial.rung)
}

/// Claims with a finding, each once, in order.
fn findings(judged: &[Judged]) -> impl Iterator<Item = &'static Claim> {
    once(judged).into_iter().filter(|c| !c.finding.is_empty())
}

/// What was found where simulation and papers part ways, a paragraph each.
pub fn paragraphs(judged: &[Judged]) -> String {
    findings(judged).map(|c| format!("{}: {}\n", c.id, c.finding)).collect::<Vec<_>>().join("\n")
}

/// The whole report as Markdown.
pub fn markdown(judged: &[Judged], alpha: f64) -> String {
    let cells = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| c.replace('|', "\\|")).collect::<Vec<_>>().join(" | "));
    let rows: String = judged.iter().map(|j| cells(&row(j))).collect();
    let head = cells(&HEADER.map(String::from)) + "|---|---|---|---:|---:|---:|---|---|\n";
    let found: String = findings(judged).map(|c| format!("\n**{}**. {}\n", c.id, c.finding)).collect();
    let said: String =
        once(judged).iter().map(|c| format!("- **{}** ({}): {} *Decided by:* {}.\n", c.id, c.paper, c.statement, c.prediction)).collect();
    format!(
        "# Verdicts\n\n{}\n\n{head}{rows}\n## Claims\n\n{said}\n## Where simulation and papers part ways\n{found}",
        sentence(judged, alpha)
    )
}

/// The claims judged, each once, in order.
fn once(judged: &[Judged]) -> Vec<&'static Claim> {
    let mut claims: Vec<&'static Claim> = judged.iter().map(|j| j.claim).collect();
    claims.dedup_by_key(|c| c.id);
    claims
}

/// Everything, for programs.
pub fn json(judged: &[Judged]) -> Value {
    Value::Array(judged.iter().map(record).collect())
}

fn record(j: &Judged) -> Value {
    let (place, margin) = j.ruling.smallest();
    json!({
        "claim": j.claim.id, "paper": j.claim.paper, "statement": j.claim.statement, "prediction": j.claim.prediction,
        "rung": j.trial.rung.name(), "verdict": j.ruling.verdict.name(), "expected": j.trial.expected.name(), "as_expected": j.is_expected(),
        "margin": margin.value, "low": finite(margin.low), "high": finite(margin.high), "worst": place,
        "seeds": j.ruling.seeds, "worlds": j.ruling.worlds, "parts": parts(&j.ruling),
        "counterexample": j.counterexample.as_ref().map(|c| json!({
            "dropped": j.trial.dropped, "verdict": c.verdict.name(), "seeds": c.seeds, "worlds": c.worlds, "parts": parts(c),
        })),
        "note": j.claim.finding,
    })
}

fn parts(ruling: &Ruling) -> Value {
    let part =
        |(place, m): &(String, Margin)| json!({"place": place, "margin": finite(m.value), "low": finite(m.low), "high": finite(m.high)});
    Value::Array(ruling.margins.iter().map(part).collect())
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
