//! `mta-sim llm grow`: base models that differ in alignment and in nothing else.

use super::eval::{Measured, of_grown};
use super::subject::within;
use super::{columns, given, number, option, refuse, refuse_grids};
use crate::cli::{knob_flag, knob_flags};
use crate::commands::say;
use crate::error::{Error, Origin};
use crate::settings::Settings as Layers;
use crate::store;
use clap::{Arg, ArgMatches, Command, value_parser};
use mta_llm::exam::Exam;
use mta_llm::grown::family;
use mta_llm::grown::grow::{GrowSettings, grow as pretrain};
use mta_llm::grown::world::{MethodSettings, MethodWorld};
use mta_llm::optimizer::AdamSettings;
use mta_sims::claims::settings::GROWN;
use mta_sims::config::{Config, KNOBS, Knob, World};
use mta_sims::knob::KnobError;
use mta_sims::stream::Seed;
use mta_sims::table::Table;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Each model reads the same questions in the same order and starts from the same weights; only how often documents follow which method differs. OUT/alignment-X
are Hugging Face folders with the world in world.json, for llm train and llm eval; family.csv measures them.";

/// Knobs of a world that a world of methods has.
const WORLD: [&str; 12] = [
    "alignment",
    "confidence",
    "idiosyncrasy",
    "vocab",
    "prompts",
    "held_out",
    "good_tokens",
    "good_quality",
    "bad_quality",
    "difficulty",
    "difficulty_spread",
    "format_rate",
];

/// The k of the table.
const KS: [u32; 5] = [1, 2, 4, 8, 16];

/// The subcommand.
pub(super) fn command() -> Command {
    let knobs = KNOBS.iter().filter(|k| WORLD.contains(&k.name));
    Command::new("grow")
        .about("Pretrain a family of base models along the alignment knob")
        .after_help(HELP)
        .args(own_flags())
        .args(knobs.map(flag))
}

/// A knob's flag, with the default of grown worlds.
fn flag(knob: &'static Knob) -> Arg {
    let mut grown = Config::DEFAULT;
    GROWN.prepare(&mut grown);
    let (usual, here) = ((knob.get)(&Config::DEFAULT), (knob.get)(&grown));
    if usual == here { knob_flag(knob) } else { knob_flag(knob).help(format!("{} [default: {here}]", knob.doc.trim())) }
}

fn own_flags() -> Vec<Arg> {
    let count =
        |name, help, default: &'static str| option(name, "N", help).default_value(default).value_parser(value_parser!(u32).range(1..));
    vec![
        option("out", "FOLDER", "Where the family goes").required(true).value_parser(value_parser!(PathBuf)),
        option("seed", "N", "Seed of world, weights and corpus").default_value("0").value_parser(value_parser!(u64)),
        count("terms", "Digits of a question", "5"),
        count("modulus", "Base of the arithmetic", "5"),
        option("leak", "SHARE", "Share of documents that answer a held-out question, rightly where any method is right")
            .default_value("0")
            .value_parser(value_parser!(f64)),
        count("grow-steps", "Updates of pretraining", "1000"),
        count("grow-batch", "Documents per update", "96"),
        count("hidden-size", "Width of the residual stream, a multiple of 16", "64"),
        count("layers", "Blocks", "2"),
        count("samples", "Responses per held-out question in family.csv", "16"),
    ]
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub(super) fn grow(matches: &ArgMatches) -> Result<(), Error> {
    let (out, seed): (PathBuf, u64) = (given(matches, "out"), given(matches, "seed"));
    let growth = growth(matches)?;
    let worlds = worlds(matches)?.iter().map(|w| world(matches, w, Seed(seed))).collect::<Result<Vec<_>, _>>()?;
    store::prepare(&out)?;
    let samples = given::<u32>(matches, "samples") as usize;
    let mut members = Vec::new();
    for world in worlds {
        members.push(member(&out, world, &growth, samples)?);
        store::write_whole(&out.join("family.csv"), table(&members).to_csv().as_bytes())?;
    }
    say(&format!("{}\n{}\n", answer(&members), out.display()));
    Ok(())
}

fn growth(matches: &ArgMatches) -> Result<GrowSettings, Error> {
    let count = |name| given::<u32>(matches, name) as usize;
    let (steps, hidden_size) = (count("grow-steps"), count("hidden-size"));
    if !hidden_size.is_multiple_of(16) || hidden_size > 4096 {
        return Err(refuse("hidden-size", hidden_size, "must be a multiple of 16, at most 4096"));
    }
    let usual = GrowSettings::DEFAULT;
    let adam = AdamSettings { warmup_steps: (steps / 5).min(usual.adam.warmup_steps), decay_steps: steps + steps / 50, ..usual.adam };
    Ok(GrowSettings { steps, batch: count("grow-batch"), hidden_size, layers: count("layers"), adam })
}

/// Knobs of every member's world: alignment is the only one that may differ.
fn worlds(matches: &ArgMatches) -> Result<Vec<World>, Error> {
    let mut layers = Layers::parse(&crate::bridge::grown_settings(), Path::new("grown worlds"))?;
    layers.flags(knob_flags(matches))?;
    refuse_grids(&layers, Some("alignment"))?;
    layers.run.recipes = vec!["standard".into()];
    let config = layers.recipes()?.pop().expect("one recipe was named").config;
    let along = |value: &_| {
        let mut config = config.clone();
        crate::settings::set(&mut config, "alignment", value, &Origin::Flag)?;
        Ok(config.world)
    };
    layers.axes().first().map_or_else(|| Ok(vec![config.world.clone()]), |axis| axis.values.iter().map(along).collect())
}

fn world(matches: &ArgMatches, knobs: &World, seed: Seed) -> Result<MethodWorld, Error> {
    let leak = within(matches, "leak", 0.0, 1.0)?;
    let settings = MethodSettings {
        world: knobs.clone(),
        terms: given::<u32>(matches, "terms") as usize,
        modulus: given::<u32>(matches, "modulus") as usize,
        leak,
    };
    MethodWorld::new(&settings, seed).map_err(|e| Error::knob(KnobError { knob: e.knob.replace('_', "-"), ..e }, &Origin::Flag))
}

/// One model of the family.
struct Member {
    exam: Exam,
    documents: usize,
    parameters: usize,
    /// Cross-entropy over the last tenth of pretraining, in nats per response token.
    loss: f64,
    measured: Measured,
}

fn member(out: &Path, world: MethodWorld, growth: &GrowSettings, samples: usize) -> Result<Member, Error> {
    let (folder, seed) = (out.join(format!("alignment-{}", world.settings.world.alignment)), world.seed);
    let documents = growth.steps * growth.batch;
    let mut last: Vec<f64> = Vec::new();
    let model = pretrain(&world, growth, &mut |step, loss| last.extend((10 * step > 9 * growth.steps).then_some(loss)))?;
    family::save(&folder, &model, &world, documents)?;
    let loss = last.iter().sum::<f64>() / last.len() as f64;
    let (exam, measured) = of_grown(&model, Exam::grown(world), documents, samples, seed)?;
    Ok(Member { exam, documents, parameters: model.architecture.size(), loss, measured })
}

impl Member {
    fn world(&self) -> &MethodWorld {
        self.exam.methods().expect("a grown model has a world").world
    }

    fn alignment(&self) -> f64 {
        self.world().settings.world.alignment
    }

    fn shares(&self) -> Vec<f64> {
        self.measured.done.method_shares(&self.exam).unwrap_or_default()
    }

    /// Share of responses that name a good method.
    fn good(&self) -> f64 {
        self.shares().iter().take(self.world().settings.world.good_tokens).sum()
    }

    fn pass_at(&self, k: u32) -> Option<f64> {
        self.measured.done.answers.pass_at(k)
    }
}

fn table(members: &[Member]) -> Table {
    let mut table = Table::new();
    let all = |f: &dyn Fn(&Member) -> Option<f64>| members.iter().map(f).collect::<Vec<_>>();
    table.float("alignment", "the knob", all(&|m| Some(m.alignment())));
    table.int("seed", "of world, weights and corpus", members.iter().map(|m| Some(m.world().seed.0 as i64)));
    table.float("leak", "share of contaminated documents", all(&|m| Some(m.world().settings.leak)));
    table.int("documents", "read in pretraining", members.iter().map(|m| Some(m.documents as i64)));
    table.int("parameters", "of the model", members.iter().map(|m| Some(m.parameters as i64)));
    table.float("loss", "cross-entropy at the end of pretraining, nats per response token", all(&|m| Some(m.loss)));
    for k in KS {
        table.float(&format!("pass@{k}"), "on held-out questions", all(&|m| m.pass_at(k)));
    }
    table.float(
        "mode_accuracy",
        "share of held-out questions whose most frequent answer is right",
        all(&|m| Some(m.measured.done.answers.majority_accuracy())),
    );
    table.float("perplexity", "of unread documents, per response token", all(&|m| m.measured.perplexity));
    table.float("share/good", "responses that name a good method", all(&|m| Some(m.good())));
    for v in 0..members.first().map_or(0, |m| m.world().methods.len()) {
        table.float(&format!("share/m{v}"), "responses that name the method", all(&|m| m.shares().get(v).copied()));
    }
    table
}

fn answer(members: &[Member]) -> String {
    let header = ["alignment", "pass@1", "pass@4", "pass@16", "mode", "good methods", "perplexity"];
    let row = |m: &Member| {
        let numbers = [
            m.pass_at(1),
            m.pass_at(4),
            m.pass_at(16),
            Some(m.measured.done.answers.majority_accuracy()),
            Some(m.good()),
            m.measured.perplexity,
        ];
        std::iter::once(m.alignment().to_string()).chain(numbers.map(|x| number(x, 3))).collect()
    };
    columns(&header, members.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_llm::grown::cell::GrownSettings;

    #[test]
    fn a_family_grows_as_llm_verify_grows_its_models() {
        let matches = command().get_matches_from(["grow", "--out", "family"]);
        let usual = GrownSettings::DEFAULT;
        assert_eq!(growth(&matches).unwrap(), usual.grow);
        let mut grown = Config::DEFAULT;
        GROWN.prepare(&mut grown);
        let world = world(&matches, &worlds(&matches).unwrap()[0], Seed(0)).unwrap();
        assert_eq!(world.settings, usual.world(&grown.world, Seed(0)).unwrap().settings);
        assert_eq!(given::<u32>(&matches, "samples") as usize, usual.samples);
    }
}
