//! The tables behind the figures, from small fixed runs: a changed number fails, and the difference reads line by line.

mod program;

use mta_sim::figures::{Effort, FIGURES, Figure, Run, Sheet, Venue, Width};
use mta_sim::sims::table::Table;
use mta_sim::study::{Finished, finish};
use program::{run, succeed};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Most rows of a table that a snapshot shows, evenly spread.
const ROWS: usize = 60;

/// The tables of all figures, from studies as small as they get; each study runs once.
fn tables() -> &'static BTreeMap<&'static str, Table> {
    static TABLES: OnceLock<BTreeMap<&'static str, Table>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut finished: BTreeMap<&str, Finished> = BTreeMap::new();
        for study in FIGURES.iter().flat_map(|f| f.studies()) {
            let run = || finish(study, Effort::Tiny, folder.path(), 0, "test").unwrap_or_else(|e| panic!("{}: {e}", study.name));
            finished.entry(study.name).or_insert_with(run);
        }
        let table = |figure: &&'static dyn Figure| {
            let runs: Vec<Run> = figure.studies().iter().map(|s| finished[s.name].run()).collect();
            (figure.name(), figure.table(&runs).unwrap_or_else(|| panic!("{} has nothing to show", figure.name())))
        };
        FIGURES.iter().map(table).collect()
    })
}

/// Six significant digits: enough to see a change, and the same with every mathematics library.
fn rounded(field: &str) -> String {
    let number: Option<f64> = field.parse().ok().filter(|_| field.contains(['.', 'e']));
    number.map_or(field.into(), |x| format!("{x:.5e}").parse::<f64>().map_or(field.into(), |x| x.to_string()))
}

/// The table as aligned columns, sources left out, thinned to a size that reads.
fn readable(table: &Table) -> String {
    let shown: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).filter(|name| *name != "source").collect();
    let step = table.rows().div_ceil(ROWS).max(1);
    let line = |row: usize| shown.iter().map(|c| format!("{:>16}", rounded(&table.cell(c, row)))).collect::<Vec<_>>().join(" ");
    let head = shown.iter().map(|c| format!("{c:>16}")).collect::<Vec<_>>().join(" ");
    let lines = (0..table.rows()).step_by(step).map(line);
    std::iter::once(head).chain(lines).map(|l| l.trim_end().to_string() + "\n").collect()
}

#[test]
fn the_tables_are_as_they_were() {
    for (name, table) in tables() {
        insta::assert_snapshot!(format!("figure_{name}"), readable(table));
    }
}

/// Marks and lines of figures whose runs are exact and small: relative difference of two columns.
#[test]
fn exact_runs_lie_on_theory() {
    for (figure, value, theory, share) in
        [("noise", "value", "theory", 0.03), ("tree", "time", "theory", 0.03), ("signed", "value", "theory", 0.02)]
    {
        let table = &tables()[figure];
        let mut compared = 0;
        for row in (0..table.rows()).filter(|row| table.cell("panel", *row) != "rate") {
            let Some((simulated, expected)) = table.number(value, row).zip(table.number(theory, row)) else { continue };
            assert!((simulated / expected - 1.0).abs() < share, "{figure}, row {row}: {simulated} is not {expected}");
            compared += 1;
        }
        assert!(compared > 10, "{figure}");
    }
    let leashed = &tables()["sharpening"];
    for row in (0..leashed.rows()).filter(|row| ["optimum", "sensitivity"].contains(&leashed.cell("panel", *row).as_str())) {
        let Some((simulated, expected)) = leashed.number("value", row).zip(leashed.number("theory", row)) else { continue };
        assert!((simulated / expected - 1.0).abs() < 1e-3, "row {row}: {simulated} is not {expected}");
    }
}

#[test]
fn every_figure_fits_every_page() {
    for figure in FIGURES {
        for (_, venue) in Venue::ALL {
            for width in [Width::Full, Width::Half] {
                let mut sheet = Sheet::new(venue.page(width));
                figure.draw(&tables()[figure.name()], &mut sheet).unwrap();
                let svg = sheet.svg(figure.name(), figure.caption()).unwrap();
                let end = svg.split("viewBox=\"0 0 ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap();
                for x in svg.split("<text x=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok()) {
                    assert!((0.0..=end).contains(&x), "{} {venue:?} {width:?}: words at {x} of {end}", figure.name());
                }
            }
        }
    }
}

#[test]
fn a_finished_sweep_is_redrawn_and_wrong_orders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeed(
        folder.path(),
        "sweep --alignment 0.2,0.8 --vocab 8 --prompts 2 --held-out 4 --steps 2 --seeds 2 --recipes standard,majority --out r --no-figures",
    );
    let said = succeed(folder.path(), "figures --from r --formats csv --out pictures");
    assert!(said.contains("gain_kept") && !said.contains("tree"), "{said}");
    assert!(folder.path().join("pictures/outcomes.csv").exists() && !folder.path().join("pictures/outcomes.svg").exists());
    for (arguments, part) in [
        ("figures", "--all"),
        ("figures gain_keep", "did you mean 'gain_kept'?"),
        ("figures --all --venue nips", "neurips"),
        ("figures --all --cols two", "half"),
        ("figures --all --formats gif", "svg"),
        ("figures --from nowhere", "nowhere"),
        ("figures --from r --quick", "--quick"),
    ] {
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(part), "mta-sim {arguments}: {said}");
    }
    let output = run(folder.path(), "figures tree --from r");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("figure: tree: "), "{said}");
}
