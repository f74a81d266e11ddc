//! Every figure: its table against hand-made data, its files, and its manners on odd data.

use mta_figures::style::{Look, looks};
use mta_figures::{Axis, Bar, FIGURES, Figure, Page, Panel, Point, Run, Sheet, Venue, Width, draw_all, find, save};
use mta_sims::table::Table;
use tempfile::tempdir;

/// A row of results: recipe, alignment, seed, base pass@1, held-out pass@1; what is missing is `None`.
type Row<'a> = (&'a str, Option<f64>, Option<i64>, Option<f64>, Option<f64>);

/// Results in which pass@8 is one half above pass@1.
fn results(rows: &[Row]) -> Table {
    let higher = |p: Option<f64>| p.map(|p| (1.0 + p) / 2.0);
    let mut table = Table::new();
    table.text("recipe", "", rows.iter().map(|r| r.0));
    table.float("alignment", "", rows.iter().map(|r| r.1)).int("seed", "", rows.iter().map(|r| r.2));
    table.float("base/pass@1", "", rows.iter().map(|r| r.3)).float("base/pass@8", "", rows.iter().map(|r| higher(r.3)));
    table.float("held_out/pass@1", "", rows.iter().map(|r| r.4)).float("held_out/pass@8", "", rows.iter().map(|r| higher(r.4)));
    table.float("gain", "", rows.iter().map(|r| Some(r.4? - r.3?)));
    table
}

/// A row with everything.
fn row(recipe: &str, alignment: f64, seed: i64, base: f64, held_out: f64) -> Row<'_> {
    (recipe, Some(alignment), Some(seed), Some(base), Some(held_out))
}

/// `recipes` at `alignments` over `seeds` with some spread.
fn grid<'a>(recipes: &[&'a str], alignments: &[f64], seeds: i64) -> Vec<Row<'a>> {
    let cells = recipes.iter().enumerate().flat_map(|(r, name)| alignments.iter().map(move |a| (r, *name, *a)));
    let held_out = |r: usize, a: f64, s: i64| 0.3 + 0.4 * a + 0.02 * r as f64 + 0.01 * (s % 3) as f64;
    cells.flat_map(|(r, name, a)| (0..seeds).map(move |s| row(name, a, s, 0.25, held_out(r, a, s)))).collect()
}

fn run<'a>(results: &'a Table, history: &'a Table) -> Run<'a> {
    Run { results, history, knob: "alignment", others: &[], command: "mta-sim sweep --alignment 0.1..0.9 & more" }
}

fn csv(name: &str, results: &Table) -> String {
    let history = Table::new();
    find(name).unwrap().table(&[run(results, &history)]).unwrap().to_csv()
}

/// Saves everything on a full and a half page, and gives the number of files.
fn drawn(results: &Table) -> usize {
    let (folder, history) = (tempdir().unwrap(), Table::new());
    let draw = |width| draw_all(&run(results, &history), folder.path(), Venue::NeurIPS.page(width)).unwrap().len();
    draw(Width::Half).max(draw(Width::Full))
}

#[test]
fn gain_kept_is_a_ratio_paired_by_seed() {
    let mut rows = vec![row("cheap", 0.5, 4, 0.0, 0.9), row("standard", 0.9, 1, 0.5, 0.4), row("cheap", 0.9, 1, 0.5, 0.6)];
    for (seed, (standard, cheap)) in [(0.4, 0.1), (0.5, 0.3), (0.6, 0.2)].into_iter().enumerate() {
        rows.extend([row("standard", 0.5, seed as i64, 0.0, standard), row("cheap", 0.5, seed as i64, 0.0, cheap)]);
    }
    let text = csv("gain_kept", &results(&rows));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("alignment,recipe,gain_kept,low,high,seeds", 3));
    assert_eq!(lines[2], "0.9,cheap,,,,1", "no share of a loss");
    // Ends from Fieller's quadratic solved by other means; seed 4 has no partner and does not count.
    let fields: Vec<_> = lines[1].split(',').collect();
    assert_eq!((fields[0], fields[1], fields[5]), ("0.5", "cheap", "3"));
    for (field, expected) in fields[2..5].iter().zip([0.4, -0.132_926_098_404_316_77, 0.867_379_117_008_756]) {
        assert!((field.parse::<f64>().unwrap() - expected).abs() < 1e-9, "{field} is not {expected}");
    }
}

#[test]
fn pass1_stands_over_the_measured_alignment() {
    let rows = [row("standard", 0.5, 1, 0.25, 0.75), row("standard", 0.9, 1, 0.5, 0.75)];
    let expected = "alignment,base/pass@8,recipe,pass@1,low,high,seeds\n\
                    0.5,0.625,base model,0.25,,,1\n0.9,0.75,base model,0.5,,,1\n0.5,0.625,standard,0.75,,,1\n0.9,0.75,standard,0.75,,,1\n";
    assert_eq!(csv("pass1_vs_base_pass8", &results(&rows)), expected);
}

#[test]
fn pass_at_k_takes_the_ends_and_the_middle() {
    let alignments = [0.1, 0.2, 0.3, 0.4, 0.5];
    let rows: Vec<_> = alignments.iter().map(|a| row("standard", *a, 1, 0.25, 0.5)).collect();
    let text = csv("pass_at_k", &results(&rows));
    assert!(
        text.starts_with("alignment,at_k,recipe,pass@k,low,high,seeds\n0.1,1,base model,0.25,,,1\n0.1,8,base model,0.625,,,1\n"),
        "{text}"
    );
    let knobs: Vec<_> = text.lines().skip(1).step_by(4).map(|l| &l[..3]).collect();
    assert_eq!(knobs, ["0.1", "0.3", "0.5"]);
}

#[test]
fn the_files_are_whole_and_equal_each_time() {
    let (table, history) = (results(&grid(&["standard", "majority"], &[0.1, 0.5, 0.9], 4)), Table::new());
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let shown = FIGURES.iter().filter(|f| f.table(&[run(&table, &history)]).is_some());
    for figure in shown.clone() {
        let [a, b] = [&one, &two].map(|folder| save(*figure, &[run(&table, &history)], folder.path(), Page::default()).unwrap());
        assert_eq!(a.len(), 5);
        assert!(a.iter().zip(&b).all(|(a, b)| std::fs::read(a).unwrap() == std::fs::read(b).unwrap()));
        looks_right(*figure, &a);
    }
    assert_eq!(std::fs::read_dir(one.path()).unwrap().count(), 5 * shown.count(), "a temporary file stayed");
}

fn looks_right(figure: &dyn Figure, paths: &[std::path::PathBuf]) {
    let bytes = |i: usize| std::fs::read(&paths[i]).unwrap();
    let (svg, pdf, text) = (String::from_utf8(bytes(0)).unwrap(), bytes(1), String::from_utf8(bytes(4)).unwrap());
    assert!(["majority", "base model", "</svg>", "&amp; more"].iter().all(|word| svg.contains(word)), "{}", figure.name());
    assert!(pdf.starts_with(b"%PDF") && pdf.windows(9).any(|w| w == b"/FontFile"), "{}: no embedded font", figure.name());
    assert!(bytes(2).starts_with(b"\x89PNG"));
    assert!(text.contains("mta-sim sweep") && text.contains(figure.caption()));
}

#[test]
fn odd_data_is_drawn_or_left_out_and_never_a_panic() {
    let full = grid(&["standard", "majority"], &[0.1, 0.9], 3);
    let without = |keep: fn(Row<'static>) -> Row<'static>| full.iter().map(|r| keep(*r)).collect::<Vec<_>>();
    assert_eq!(drawn(&Table::new()), 0);
    assert_eq!(drawn(&results(&[])), 0);
    assert_eq!(drawn(&results(&without(|r| (r.0, r.1, None, r.3, r.4)))), 0);
    assert_eq!(drawn(&results(&without(|r| (r.0, None, r.2, r.3, r.4)))), 0);
    assert_eq!(drawn(&results(&without(|r| (r.0, r.1, r.2, r.3, r.4.filter(|_| r.1 == Some(0.9)))))), 20);
    assert_eq!(drawn(&results(&without(|r| (r.0, r.1, r.2, None, r.4)))), 10);
    assert_eq!(drawn(&results(&grid(&["standard", "majority"], &[0.1, 0.9], 1))), 20);
    assert_eq!(drawn(&results(&grid(&["standard", "majority"], &[0.5], 3))), 20);
    assert_eq!(drawn(&results(&grid(&["majority"], &[0.1, 0.9], 3))), 15);
}

#[test]
fn twenty_recipes_all_stand_in_the_legend() {
    let names: Vec<String> = (0..20).map(|i| format!("recipe-{i}")).collect();
    let all: Vec<&str> = std::iter::once("standard").chain(names.iter().map(String::as_str)).collect();
    let (table, history, folder) = (results(&grid(&all, &[0.1, 0.5, 0.9], 3)), Table::new(), tempdir().unwrap());
    for path in draw_all(&run(&table, &history), folder.path(), Venue::ICML.page(Width::Half)).unwrap() {
        let text = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(path.extension().is_none_or(|e| e != "svg") || names.iter().all(|n| text.contains(n)), "{}", path.display());
    }
}

#[test]
fn a_point_outside_the_range_becomes_an_arrow() {
    let cells = [(0, 0.1), (1, 0.9)].map(|(seed, a)| [row("standard", a, seed, 0.25, 0.5), row("wild", a, seed, 0.25, 0.25 - a)]);
    let (table, history) = (results(&cells.concat()), Table::new());
    let figure = find("gain_kept").unwrap();
    let data = figure.table(&[run(&table, &history)]).unwrap();
    let mut sheet = Sheet::new(Page::default());
    figure.draw(&data, &mut sheet).unwrap();
    assert!(data.to_csv().contains("-3.6") && sheet.svg("", "").unwrap().contains("−3.6"));
}

#[test]
fn bars_stand_on_the_axis() {
    let names = ["weak".to_string(), "strong".to_string()];
    let look = looks(&names[..1])[0];
    let bar = |x: usize, y| Bar { name: "standard".into(), look, point: Point { x: x as f64, y, ..Point::default() }, width: 0.8 };
    let panel = Panel::new(Axis::names("model", &names), Axis::linear("pass@1")).rule("base model", Look::base(), 0.2);
    let mut sheet = Sheet::new(Page::default());
    let svg = sheet.add(panel.bar(bar(0, Some(0.5))).bar(bar(1, None))).svg("bars", "").unwrap();
    assert!(["weak", "strong", "pass@1", "base model", "standard", "0.0"].iter().all(|word| svg.contains(word)));
    assert!(!svg.contains("−"), "the axis reaches below zero");
}

#[test]
fn a_knob_that_is_not_there_is_said_so() {
    let (table, history, folder) = (results(&grid(&["standard", "majority"], &[0.1], 3)), Table::new(), tempdir().unwrap());
    let run = Run { knob: "learning_rate", ..run(&table, &history) };
    let error = save(FIGURES[0], &[run], folder.path(), Page::default()).unwrap_err();
    assert!(error.to_string().contains("learning_rate"), "{error}");
    assert!(find("nothing").is_err());
}
