//! Rewards that know nothing of the answer: where they push, with and without clipping, over fresh and over reused batches.

use mta_sims::config::Config;
use mta_sims::policy::SoftmaxPolicy;
use mta_sims::recipe::Ready;
use mta_sims::registry::find;
use mta_sims::rules::RULES;
use mta_sims::run::{Training, train};
use mta_sims::signals::SIGNALS;
use mta_sims::statistics::mean_interval;
use mta_sims::stream::Seed;
use mta_sims::table::Table;
use mta_sims::world::World;
use mta_theory::clipping::{Reuse, reused_batch, saturated_drift};
use mta_theory::random_reward::{drift, noise_rate, second_moment_group_std};

use crate::study::{Data, Effort, Study};
use crate::style::Look;
use crate::tidy::{self, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Point, Run, Sample, Sheet};

pub(super) struct RandomReward;

/// Rollout batches of random rewards on a bandit of two arms.
static COINS: Study = Study { name: "coins", data: Data::Computed(coins) };

/// The clip range, and a range that nothing reaches.
const CLIP: f64 = 0.2;
const NO_CLIP: f64 = 1e9;
/// Pieces of the lines theory draws.
const LINE: u32 = 50;
/// Samples per group.
const GROUP: usize = 8;

/// One way to use a rollout batch.
struct Use {
    name: &'static str,
    words: &'static str,
    reused: bool,
    clip: f64,
    step: f64,
    /// Groups of the batch, each a minibatch of its own.
    minibatches: usize,
    /// Passes over the batch.
    epochs: usize,
    /// Batches per point, in full and as a preview.
    batches: (u64, u64),
}

const USES: [Use; 4] = [
    Use {
        name: "fresh",
        words: "no clip, η = 0.5, 8 minibatches",
        reused: false,
        clip: NO_CLIP,
        step: 0.5,
        minibatches: 8,
        epochs: 1,
        batches: (20_000, 3000),
    },
    Use {
        name: "fresh-clip",
        words: "clip 0.2, η = 0.25, 128 minibatches",
        reused: false,
        clip: CLIP,
        step: 0.25,
        minibatches: 128,
        epochs: 1,
        batches: (2000, 300),
    },
    Use {
        name: "reused",
        words: "no clip, η = 0.3, 16 epochs",
        reused: true,
        clip: NO_CLIP,
        step: 0.3,
        minibatches: 1,
        epochs: 16,
        batches: (10_000, 1500),
    },
    Use {
        name: "reused-clip",
        words: "clip 0.2, η = 0.3, 16 epochs",
        reused: true,
        clip: CLIP,
        step: 0.3,
        minibatches: 1,
        epochs: 16,
        batches: (10_000, 1500),
    },
];

impl Use {
    /// GRPO on a coin, used this way.
    fn recipe(&self) -> Ready {
        let (signal, rule) = (find("signal", SIGNALS, "random"), find("rule", RULES, "grpo"));
        let mut ready = Ready::new(self.name, signal.expect("listed"), rule.expect("listed"));
        let Config { train, objective, policy, .. } = &mut ready.config;
        (train.steps, train.train_batch_size, train.group_size) = (1, self.minibatches, GROUP);
        (train.minibatches, train.num_iterations, train.learning_rate) = (self.minibatches, self.epochs, self.step);
        (objective.clip_low, objective.clip_high) = (self.clip.min(1.0), self.clip);
        policy.sharing = 1.0;
        ready
    }

    /// Mean change of p as theory has it.
    fn theory(&self, p: f64) -> f64 {
        let group = GROUP as f64;
        match (self.reused, self.clip == CLIP) {
            (true, _) => {
                reused_batch(&Reuse { p, clip: self.clip, step: self.step, group: GROUP as u32, epochs: self.epochs as u32 }).drift
            }
            (false, true) => saturated_drift(p, CLIP),
            (false, false) => {
                let kappa = noise_rate(self.step, second_moment_group_std(0.5, group), group);
                drift(&[p, 1.0 - p], kappa * self.minibatches as f64)[0]
            }
        }
    }

    /// Change of p over each of `batches` rollout batches, with seeds that no other point has.
    fn changes(&self, p: f64, point: u64, batches: u64) -> Vec<f64> {
        let (recipe, world) = (self.recipe(), World::bandit(&[p, 1.0 - p], &[true, false], Seed(0)));
        let change = |seed| {
            let mut policy = SoftmaxPolicy::new(&world.task, &world.base, 1.0);
            let (signal, seed) = (recipe.signal, Seed(seed));
            let training = Training { config: &recipe.config, signal, environment: &world.task, prompts: &[0], teacher: None, seed };
            train(&mut policy, &training, &mut |_, _, _| {});
            policy.first(0).probs[0] - p
        };
        (0..batches).map(|batch| change((point << 32) + batch)).collect()
    }
}

fn coins(effort: Effort) -> Table {
    let mut rows = Rows::new(&[
        ("series", "how the batch is used"),
        ("p", "probability of the arm before"),
        ("drift", "mean change of p over a rollout batch"),
        ("low", "lower end of the 95% interval over batches"),
        ("high", "upper end of it"),
        ("batches", "rollout batches behind them"),
    ]);
    for (u, used) in (0..).zip(&USES) {
        for i in 1..=9u32 {
            let (p, batches) = (f64::from(i) / 10.0, effort.of(used.batches.0, used.batches.1, 20));
            let Some(estimate) = mean_interval(&used.changes(p, 10 * u + u64::from(i), batches), LEVEL) else { continue };
            let numbers = [Some(p), Some(estimate.value), estimate.low, estimate.high, Some(batches as f64)];
            rows.push(std::iter::once(used.name.into()).chain(numbers.map(Into::into)));
        }
    }
    rows.table().unwrap_or_default()
}

/// Moves the marks of every other series a little aside, so that no whisker hides another.
fn apart(points: Vec<Point>, series: usize) -> Vec<Point> {
    let aside = if series.is_multiple_of(2) { -0.007 } else { 0.007 };
    points.into_iter().map(|p| Point { x: p.x + aside, ..p }).collect()
}

impl Figure for RandomReward {
    fn name(&self) -> &'static str {
        "random_reward"
    }

    fn caption(&self) -> &'static str {
        "Mean change, over one rollout batch of random rewards, of the probability of an arm against its probability before; two arms, groups of 8, \
         rewards standardised within the group. Left: one pass over fresh minibatches. Without a clip the arm moves towards 1/2 (P11, leading order in \
         the step size, so the largest drifts fall a little short of the line); with a clip and noise beyond its range the more probable arm gains \
         (P13). Right: one group reused for 16 epochs (P14, exact): the more probable arm loses, with the clip less than without. Marks with 95% t \
         intervals over batches; lines: theory."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&COINS]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let coins = runs.first().filter(|run| run.results.get("series").is_some() && run.results.get("drift").is_some())?.results;
        let mut rows = Rows::new(&[
            ("series", "how the batch is used"),
            ("p", "probability of the arm before"),
            ("drift", "mean change of p over a rollout batch; empty where only theory is given"),
            ("low", "lower end of the 95% interval over batches"),
            ("high", "upper end of it"),
            ("theory", "the same from P11, P13 and P14"),
        ]);
        for used in &USES {
            let simulated = (0..coins.rows()).filter(|row| coins.cell("series", *row) == used.name);
            let marks = simulated.filter_map(|row| Some((coins.number("p", row)?, ["drift", "low", "high"].map(|c| coins.number(c, row)))));
            let between = (1..LINE).map(|i| (f64::from(i) / f64::from(LINE), [None; 3]));
            for (p, numbers) in marks.chain(between) {
                let row = [used.name.into(), p.into()].into_iter().chain(numbers.map(Into::into));
                rows.push(row.chain([used.theory(p).into()]));
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        for reused in [false, true] {
            let title = if reused { "one group, reused" } else { "fresh minibatches" };
            let mut panel = Panel::new(Axis::linear("probability p before").range(0.0, 1.0), Axis::linear("mean change of p"))
                .title(title.into())
                .rule("", Look::base(), 0.0);
            for (i, used) in USES.iter().enumerate().filter(|(_, u)| u.reused == reused) {
                let (look, here) = (Look::series(i), |row: usize| table.cell("series", row) == used.name);
                let theory = tidy::points(table, "p", "theory", |row| here(row) && table.number("drift", row).is_none());
                panel = panel.curve(Curve::line("", look.predicted(), theory.iter().filter_map(|p| Some((p.x, p.y?)))));
                panel = panel.curve(
                    Curve::new(
                        used.words,
                        look,
                        apart(tidy::points(table, "p", "drift", |row| here(row) && table.number("drift", row).is_some()), i),
                    )
                    .drawn_as(Manner::Points),
                );
            }
            sheet.add(panel.key("theory (P11, P13, P14)", Look::theory(), Sample::Line).key(
                "95% interval over batches",
                Look::theory(),
                Sample::Whisker,
            ));
        }
        sheet.columns(2).aspect(1.1);
        Ok(())
    }
}
