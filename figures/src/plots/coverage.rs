//! Prompt by prompt: success before and after training, who moves where, and who is solved at all.

use mta_sims::cell::train_in;
use mta_sims::config::Config;
use mta_sims::measure::summary;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::find;
use mta_sims::stream::Seed;
use mta_sims::table::Table;
use mta_sims::world::World;
use mta_theory::pass_at_k::pass_at_k;

use crate::axis::number;
use crate::study::{Data, Effort, Study};
use crate::style::Look;
use crate::tidy::{self, BASE, Rows};
use crate::{Axis, Bar, Figure, FigureError, Panel, Point, Run, Shade, Sheet};

pub(super) struct Coverage;

/// Success of each held-out prompt before and after.
static PROMPTS: Study = Study { name: "prompts", data: Data::Computed(prompts) };

/// Recipes whose prompts are looked at; the first has its histogram and matrix drawn.
const SHOWN: [&str; 3] = ["standard", "self-sharpen", "negative-only"];
/// Bins of success, from 0 to 1, of the histogram and of the matrix.
const BINS: usize = 10;
const CLASSES: usize = 5;
/// Attempts at which a prompt counts as solved, if the chance of success is one half or more.
const ATTEMPTS: f64 = 64.0;
/// Who solves a prompt.
const OUTCOMES: [&str; 4] = ["both", "base only", "trained only", "neither"];

fn prompts(effort: Effort) -> Table {
    let mut rows = Rows::new(&[
        ("recipe", "recipe"),
        ("seed", "seed of the world and all dice"),
        ("before", "chance of success of a held-out prompt under the base model"),
        ("after", "the same after training"),
    ]);
    for name in SHOWN {
        let mut recipe = Ready::named(find("recipe", RECIPES, name).expect("listed"));
        set(&mut recipe.config);
        for seed in 0..effort.of(16, 4, 1) {
            for (before, after) in successes(&recipe, Seed(seed)) {
                rows.push([name.into(), (seed as f64).into(), before.into(), after.into()]);
            }
        }
    }
    rows.table().unwrap_or_default()
}

/// A world with hard and easy prompts, and time to learn.
fn set(config: &mut Config) {
    (config.world.alignment, config.world.difficulty, config.world.difficulty_spread) = (0.5, 1.0, 2.0);
    (config.train.steps, config.train.eval_every) = (150, 150);
}

/// Chance of success of every held-out prompt before and after training.
fn successes(recipe: &Ready, seed: Seed) -> Vec<(f64, f64)> {
    let world = World::new(&recipe.config.world, seed).expect("the settings leave a world");
    let (mut before, mut after) = (Vec::new(), Vec::new());
    train_in(&world, recipe, &mut |step, policy, _| {
        if step == 0 || step == recipe.config.train.steps {
            let measured = world.held_out().map(|x| summary(policy, &world.task, x).success).collect();
            if step == 0 { before = measured } else { after = measured }
        }
    });
    before.into_iter().zip(after).collect()
}

impl Figure for Coverage {
    fn name(&self) -> &'static str {
        "coverage"
    }

    fn caption(&self) -> &'static str {
        "Held-out prompts one by one, before and after training, all seeds pooled. Left: share of prompts by chance of success, base model against \
         standard RL. Middle: where prompts go under standard RL, as shares (in percent) of the prompts that start in the same column. Right: who \
         solves a prompt, solved meaning pass@64 of at least one half. What a policy with shared skill gains on many prompts it takes from a few: \
         more are solved by the base model only than by the trained one only."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&PROMPTS]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let prompts = runs.first().filter(|run| run.results.get("before").is_some() && run.results.get("after").is_some())?.results;
        let mut rows = Rows::new(&[
            ("panel", "histogram, transition or coverage"),
            ("recipe", "recipe, or the base model"),
            ("what", "outcome of coverage; empty elsewhere"),
            ("from", "bin of success before, by its middle; empty for coverage"),
            ("to", "bin of success after, by its middle; empty but for transitions"),
            ("share", "share of prompts; of those that start in the bin, for transitions"),
        ]);
        for (i, recipe) in SHOWN.iter().enumerate() {
            let of = |column: &'static str| {
                (0..prompts.rows()).filter(|row| prompts.cell("recipe", *row) == *recipe).filter_map(move |row| prompts.number(column, row))
            };
            let pairs: Vec<(f64, f64)> = of("before").zip(of("after")).collect();
            if i == 0 {
                push_histogram(&mut rows, BASE, pairs.iter().map(|p| p.0));
                push_histogram(&mut rows, recipe, pairs.iter().map(|p| p.1));
                push_transitions(&mut rows, recipe, &pairs);
            }
            push_coverage(&mut rows, recipe, &pairs);
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        sheet.add(histogram(table)).add(transitions(table)).add(coverage(table)).columns(3).aspect(0.95);
        Ok(())
    }
}

/// Which of `bins` equal parts of [0, 1] a success rate is in.
fn bin(success: f64, bins: usize) -> usize {
    ((success * bins as f64) as usize).min(bins - 1)
}

/// Middle of a bin.
fn middle(bin: usize, bins: usize) -> f64 {
    (bin as f64 + 0.5) / bins as f64
}

fn push_histogram(rows: &mut Rows, name: &str, successes: impl Iterator<Item = f64>) {
    let mut counts = [0.0; BINS];
    successes.for_each(|p| counts[bin(p, BINS)] += 1.0);
    let all: f64 = counts.iter().sum();
    for (i, count) in counts.iter().enumerate() {
        rows.push(["histogram".into(), name.into(), "".into(), middle(i, BINS).into(), None.into(), (count / all).into()]);
    }
}

fn push_transitions(rows: &mut Rows, recipe: &str, pairs: &[(f64, f64)]) {
    for from in 0..CLASSES {
        let start: Vec<f64> = pairs.iter().filter(|p| bin(p.0, CLASSES) == from).map(|p| p.1).collect();
        for to in 0..CLASSES {
            let share = start.iter().filter(|p| bin(**p, CLASSES) == to).count() as f64 / start.len() as f64;
            let share = Some(share).filter(|_| !start.is_empty());
            rows.push([
                "transition".into(),
                recipe.into(),
                "".into(),
                middle(from, CLASSES).into(),
                middle(to, CLASSES).into(),
                share.into(),
            ]);
        }
    }
}

fn push_coverage(rows: &mut Rows, recipe: &str, pairs: &[(f64, f64)]) {
    let solved = |p: f64| pass_at_k(p, ATTEMPTS) >= 0.5;
    for (i, outcome) in OUTCOMES.iter().enumerate() {
        let is = |p: &&(f64, f64)| (solved(p.0), solved(p.1)) == [(true, true), (true, false), (false, true), (false, false)][i];
        let share = pairs.iter().filter(is).count() as f64 / pairs.len() as f64;
        rows.push(["coverage".into(), recipe.into(), (*outcome).into(), None.into(), None.into(), share.into()]);
    }
}

fn histogram(table: &Table) -> Panel {
    let mut panel = Panel::new(Axis::linear("chance of success").range(0.0, 1.0), Axis::linear("share of prompts"));
    for (i, (name, look)) in [(BASE, Look::base()), (SHOWN[0], Look::reference())].iter().enumerate() {
        let here = |row: usize| table.cell("panel", row) == "histogram" && table.cell("recipe", row) == *name;
        for point in tidy::points(table, "from", "share", here) {
            let point = Point { x: point.x + (i as f64 - 0.5) * 0.042, ..point };
            panel = panel.bar(Bar { name: (*name).into(), look: *look, point, width: 0.04 });
        }
    }
    panel
}

fn transitions(table: &Table) -> Panel {
    let here = |row: usize| table.cell("panel", row) == "transition";
    let field = tidy::field(table, ["from", "to", "share"], Shade::between("share of the column", 0.0, 1.0), here);
    let mut panel = Panel::new(Axis::linear("success before"), Axis::linear("success after")).field(field.clone());
    for (row, to) in field.values.iter().zip(&field.ys) {
        for (share, from) in row.iter().zip(&field.xs) {
            let Some(share) = share.filter(|s| *s >= 0.005) else { continue };
            panel = panel.label(&number(100.0 * share, 0), *from, *to, share < 0.6);
        }
    }
    panel
}

fn coverage(table: &Table) -> Panel {
    let outcomes = OUTCOMES.map(String::from);
    let mut panel = Panel::new(Axis::names("", &outcomes).turned(), Axis::linear("share of prompts"));
    let looks = crate::style::looks(&SHOWN.map(String::from));
    for (i, (name, look)) in SHOWN.iter().zip(looks).enumerate() {
        for (x, outcome) in OUTCOMES.iter().enumerate() {
            let here = |row: usize| {
                table.cell("panel", row) == "coverage" && table.cell("recipe", row) == *name && table.cell("what", row) == *outcome
            };
            let y = (0..table.rows()).find(|row| here(*row)).and_then(|row| table.number("share", row));
            let point = Point { x: x as f64 + (i as f64 - 1.0) * 0.27, y, low: None, high: None };
            panel = panel.bar(Bar { name: (*name).into(), look, point, width: 0.25 });
        }
    }
    panel
}
