//! The command line as a user meets it: wrong inputs, every knob in every spelling, and the text it prints.

mod program;

use mta_sim::sims::config::{Config, KNOBS, Knob};
use mta_sim::sims::recipe::{RECIPE_SECTIONS, RECIPES, Ready};
use program::{TINY, journal, program, published, run, state, succeed, unpublish};
use std::fs;
use std::path::Path;
use std::process::Output;

/// Files of settings, each with one thing wrong, or two that only together are.
const FILES: &[(&str, &str)] = &[
    ("syntax.toml", "alignment = = 1\n"),
    ("key.toml", "alignement = 0.5\n"),
    ("dotted.toml", "world.alignment = 0.5\n"),
    ("type.toml", "alignment = true\n"),
    ("date.toml", "steps = 1979-05-27\n"),
    ("nan.toml", "alignment = nan\n"),
    ("inf.toml", "learning_rate = [1.0, inf]\n"),
    ("empty_list.toml", "alignment = []\n"),
    ("nested_list.toml", "alignment = [[0.1], 0.2]\n"),
    ("range.toml", "confidence = '2..1'\n"),
    ("fraction.toml", "steps = 2.5\n"),
    ("twice.toml", "alignment = 0.1\nalignment = 0.2\n"),
    ("two_names.toml", "lr = 0.1\nlearning_rate = 0.2\n"),
    ("seeds.toml", "seeds = 0\n"),
    ("many_seeds.toml", "seeds = 9223372036854775807\n"),
    ("seed.toml", "seed = -1\n"),
    ("recipes.toml", "recipes = 3\n"),
    ("no_name.toml", "recipes = ''\n"),
    ("recipe_name.toml", "recipes = ['standard', 'one-short']\n"),
    ("recipe.toml", "recipe = 'standard'\n"),
    ("recipes_list.toml", "[[recipe]]\nrule = 'rloo'\n"),
    ("table.toml", "[recipe]\nmine = 3\n"),
    ("table_key.toml", "[recipe.mine]\nlearning_rat = 1\n"),
    ("table_grid.toml", "[recipe.mine]\nlearning_rate = [1, 2]\n"),
    ("table_world.toml", "[recipe.mine]\nalignment = 0.3\n"),
    ("table_rule.toml", "[recipe.mine]\nrule = 'grop'\n"),
    ("table_signal.toml", "[recipe.mine]\nsignal = 'majorty'\n"),
    ("table_extends.toml", "[recipe.mine]\nextends = 'standart'\n"),
    ("table_rule_type.toml", "[recipe.mine]\nrule = 3\n"),
    ("table_value.toml", "[recipe.mine]\nsharing = 2\n"),
    ("table_clash.toml", "[recipe.mine]\ngroup_size = 1\n"),
    ("table_all.toml", "[recipe.all]\nrule = 'rloo'\n"),
    ("table_comma.toml", "[recipe.'a,b']\nrule = 'rloo'\n"),
    ("table_empty.toml", "[recipe.'']\nrule = 'rloo'\n"),
    ("rule.toml", "rule = 'ppoo'\n"),
    ("fine.toml", "alignment = 0.5\n"),
];

/// What is typed after `mta-sim`, and a part of the one message it must end with.
const WRONG: &[(&str, &str)] = &[
    // the command itself
    ("swep", "'sweep'"),
    ("list rule", "'rules'"),
    ("list", "<kind>"),
    ("show rule", "<name>"),
    ("show rule grop", "unknown rule 'grop', did you mean 'grpo'?"),
    ("show knob alignmet", "did you mean 'alignment'?"),
    ("show claim nothing-like-it", "unknown claim 'nothing-like-it'"),
    ("show figure gain_kep", "did you mean 'gain_kept'?"),
    ("sweep --alignmnt 0.5", "'--alignment'"),
    ("sweep --alignment", "--alignment <GRID>"),
    ("sweep --alignment 0.1 --alignment 0.2", "--alignment"),
    ("sweep leftover", "'leftover'"),
    // one knob
    ("sweep --alignment 1.2", "--alignment = 1.2: must be a number in [-1, 1]"),
    ("sweep --alignment -1.01", "--alignment = -1.01: must be a number in [-1, 1]"),
    ("sweep --alignment 0.9..0.1", "--alignment = 0.9..0.1: the range runs backwards; write 0.1..0.9"),
    ("sweep --alignment 0.1..", "--alignment = 0.1..: '' is not a plain decimal number"),
    ("sweep --alignment ..", "--alignment = ..: '' is not"),
    ("sweep --alignment ,", "--alignment = ,: '' is not a number"),
    ("sweep --alignment=", "--alignment = : must be a number in [-1, 1]"),
    ("sweep --alignment 0..1:0", "--alignment = 0..1:0: the step 0 must be positive"),
    ("sweep --alignment 0.1..0.9:-0.1", "the step -0.1 must be positive"),
    ("sweep --alignment 0.5..1.5:0.5", "--alignment = 1.5: must be a number in [-1, 1]"),
    ("sweep --alignment 0..1:0.0000001", "the grid has 10000001 points, at most 100000 are allowed"),
    ("sweep --alignment NaN", "--alignment = NaN: must be a number in [-1, 1]"),
    ("sweep --alignment 0.1,nan", "--alignment = NaN: must be a number in [-1, 1]"),
    ("sweep --confidence inf", "--confidence = inf: must be a number in [0, 1000]"),
    ("sweep --alignment half", "--alignment = half: must be a number in [-1, 1]"),
    ("sweep --group-size 1.5", "--group-size = 1.5: must be a whole number in [1, 1048576]"),
    ("sweep --group-size 0", "--group-size = 0: must be a whole number in [1, 1048576]"),
    ("sweep --group-size 8..10:0.5", "--group-size = 8.5: must be a whole number"),
    ("sweep --steps -1", "--steps = -1: must be a whole number in [0, "),
    ("sweep --steps 1e300", "--steps = 1"),
    ("sweep --few 9007199254740993e3", "--few = 9"),
    ("sweep --mode exactly", "--mode = exactly: must be one of sampled, exact"),
    ("sweep --mode exact,sampled", "--mode = exact,sampled: must be one of sampled, exact"),
    ("sweep --whiten yes", "--whiten = yes: must be true or false"),
    ("sweep --align-by pass@3", "--align-by = pass@3: must be one of knob, pass@1"),
    ("sweep --clip-low 0", "--clip-low = 0: must be a number in (0, 1]"),
    // settings that clash
    ("sweep --group-size 1", "recipe standard: group_size = 1: must be at least 2 for a rule that compares rollouts"),
    ("sweep --recipes noisy --rule grpo --group-size 1,4", "recipe noisy: group_size = 1: must be at least 2"),
    ("sweep --minibatches 17", "minibatches = 17: must be at most train_batch_size = 16"),
    ("sweep --micro-batches 16 --minibatches 2", "micro_batches = 16: must be at most the 8 prompts"),
    ("sweep --good-tokens 32", "good_tokens = 32: must be less than vocab = 32"),
    ("sweep --good-tokens 0 --bad-quality 0", "good_tokens = 0: must be at least 1 when bad_quality is 0"),
    ("sweep --bad-quality 0 --good-quality 0.85,0 --steps 1", "tokens of equal quality"),
    ("sweep --regime few --few 65", "few = 65: must be at most prompts = 64"),
    ("sweep --recipes standard --regime test-time", "recipe standard: regime = test-time: needs a label-free signal"),
    ("sweep --rule npg", "mode = sampled: must be exact for a natural-gradient rule"),
    ("sweep --mode exact --depth 8", "vocab^depth = 1.100e12 must be at most 65536"),
    ("sweep --depth 64", "depth = 64: depth x log2(vocab + 2)"),
    ("sweep --vocab 1048576 --prompts 1048576", "vocab = 1048576: (prompts + held_out) x depth x vocab"),
    ("sweep --group-size 1048576 --train-batch-size 1048576", "train_batch_size = 1048576: a step would hold"),
    ("sweep --alignment 0 --align-by pass@1", "alignment = 0: must be inside (0, 1) when align_by"),
    ("sweep --alignment 0.999999 --align-by pass@1 --seeds 1", "alignment = 0.999999: base pass@1 of seed 0 can be set between"),
    ("sweep --alignment -1..1:0.001 --sharing 0..1:0.001", "the plan has"),
    ("sweep --alignment 0..1:0.00002 --sharing 0..1:0.00002 --confidence 0..1:0.00002", "at most 1000000 are allowed"),
    // what is run
    ("sweep --recipes one-shto", "unknown recipe 'one-shto', did you mean 'one-shot'?"),
    ("sweep --recipes standard,", "unknown recipe ''"),
    ("sweep --recipes all,standard", "unknown recipe 'all'"),
    ("sweep --rule grop", "unknown rule 'grop', did you mean 'grpo'?"),
    ("sweep --seeds 0", "0 is not in 1..=1000000"),
    ("sweep --seeds many", "'many'"),
    ("sweep --seed -1", "'-1'"),
    ("sweep --seed 18446744073709551615", "--seed 18446744073709551615 with --seeds"),
    ("sweep --seed 18446744073709551616", "18446744073709551616"),
    ("sweep --threads 65535", "65535 is not in 0..=1024"),
    ("sweep --threads -1", "'-1'"),
    // theory
    ("verify nothing-like-it", "unknown claim 'nothing-like-it'"),
    ("verify nois-j", "did you mean 'noise-j'?"),
    ("verify --rung moon", "'moon'"),
    ("verify delta-se --rung llm", "--rung llm: none of these claims is judged there; they are judged on bandit, tree"),
    ("verify delta-se --rung theory", "--rung theory: none of these claims is judged there; they are judged on bandit, tree"),
    ("verify --budget huge", "'huge'"),
    ("verify --alpha 0.7", "--alpha 0.7: must be a number in [1e-12, 0.5]"),
    ("verify --alpha often", "--alpha often: must be a number in [1e-12, 0.5]"),
    ("verify --seed -1", "'-1'"),
    ("verify --threads 5000", "5000 is not in 0..=1024"),
    ("verify --out fine.toml", "fine.toml: is no folder to write to"),
    ("theory P555", "'P555'"),
    ("theory P5 --p 1.5", "--p = 1.5: must be a number in [0, 1]"),
    ("theory P5 --group 2.5", "--group = 2.5: must be a whole number in [1, 1000000]"),
    ("theory P5 --p 0.9..0.1", "--p = 0.9..0.1: the range runs backwards; write 0.1..0.9"),
    ("theory P5 --p 0..1:0.00002 --group 1..20", "the grids have 1000020 points together, at most 1000000 are allowed"),
    ("theory P10 --against-sim", "--against-sim: the engine has no simulation of P10; it has one of P1, P2, "),
    ("theory P5 --against-sim --p 0..1:0.00002", "the grids have 50001 points together, at most 10000 are allowed with --against-sim"),
    ("theory P5 --seed 1", "--against-sim"),
    ("theory P5 --replicates 10", "--against-sim"),
    ("theory P5 --against-sim --replicates 1", "1 is not in 2..=1000000"),
    ("theory P5 --against-sim --replicates many", "'many'"),
    ("theory P5 --against-sim --seed -1", "'-1'"),
    // files of settings
    ("sweep --config missing.toml", "missing.toml: cannot be read"),
    ("sweep --config kept", "kept: cannot be read"),
    ("sweep --config bytes.toml", "bytes.toml: cannot be read: stream did not contain valid UTF-8"),
    ("sweep --config syntax.toml", "syntax.toml: TOML parse error at line 1, column 13"),
    ("sweep --config key.toml", "key.toml: unknown key 'alignement', did you mean 'alignment'?"),
    ("sweep --config dotted.toml", "dotted.toml: unknown key 'world'"),
    ("sweep --config type.toml", "type.toml: alignment = true: must be a number in [-1, 1]"),
    ("sweep --config date.toml", "date.toml: steps = 1979-05-27: must be a whole number"),
    ("sweep --config nan.toml", "nan.toml: alignment = NaN: must be a number in [-1, 1]"),
    ("sweep --config inf.toml", "inf.toml: learning_rate = inf: must be a number in [0, 1000000]"),
    ("sweep --config empty_list.toml", "empty_list.toml: alignment = : must be a number"),
    ("sweep --config nested_list.toml", "nested_list.toml: alignment = [[0.1], 0.2]: must be numbers"),
    ("sweep --config range.toml", "range.toml: confidence = 2..1: the range runs backwards; write 1..2"),
    ("sweep --config fraction.toml", "fraction.toml: steps = 2.5: must be a whole number"),
    ("sweep --config twice.toml", "duplicate key"),
    ("sweep --config two_names.toml", "two_names.toml: learning_rate is set twice"),
    ("sweep --config seeds.toml", "seeds.toml: seeds = 0: must be a whole number >= 1"),
    ("sweep --config many_seeds.toml", "at most 1000000 are allowed"),
    ("sweep --config many_seeds.toml --seed 1", "--seed 1 with --seeds 9223372036854775807"),
    ("sweep --config fine.toml --seeds 1000000 --alignment 0..1", "the plan has 1.600e7 cells"),
    ("sweep --config seed.toml", "seed.toml: seed = -1: must be a whole number >= 0"),
    ("sweep --config recipes.toml", "recipes.toml: recipes = 3: must be a list of recipe names"),
    ("sweep --config no_name.toml", "unknown recipe ''"),
    ("sweep --config recipe_name.toml", "unknown recipe 'one-short', did you mean 'one-shot'?"),
    ("sweep --config recipe.toml", "recipe.toml: recipe = \"standard\": must be tables [recipe.NAME]"),
    ("sweep --config recipes_list.toml", "recipes_list.toml: recipe = a list of tables: must be tables [recipe.NAME]"),
    ("sweep --config table.toml", "table.toml: recipe = 3: must be tables [recipe.NAME]"),
    ("sweep --config table_key.toml", "[recipe.mine] unknown key 'learning_rat', did you mean 'learning_rate'?"),
    ("sweep --config table_grid.toml", "[recipe.mine] learning_rate = [1, 2]: must be a single value"),
    ("sweep --config table_world.toml", "[recipe.mine] alignment = 0.3: belongs to the world"),
    ("sweep --config table_rule.toml", "unknown rule 'grop', did you mean 'grpo'?"),
    ("sweep --config table_signal.toml", "unknown signal 'majorty', did you mean 'majority'?"),
    ("sweep --config table_extends.toml", "unknown recipe 'standart', did you mean 'standard'?"),
    ("sweep --config table_rule_type.toml", "[recipe.mine] rule = 3: must be a name"),
    ("sweep --config table_value.toml", "[recipe.mine] sharing = 2: must be a number in [0, 1]"),
    ("sweep --config table_clash.toml", "recipe mine: group_size = 1: must be at least 2"),
    ("sweep --config table_all.toml", "[recipe.all]: the name must have"),
    ("sweep --config table_comma.toml", "[recipe.a,b]: the name must have"),
    ("sweep --config table_empty.toml", "[recipe.]: the name must have"),
    ("sweep --config rule.toml", "unknown rule 'ppoo', did you mean 'ppo'?"),
    // folders and damaged files
    ("sweep TINY --out fine.toml", "fine.toml: is no folder to write to"),
    ("sweep TINY --out fine.toml/below", "fine.toml/below: is no folder to write to"),
    ("sweep TINY --out /proc/nowhere/run", "/proc/nowhere/run: is no folder to write to"),
    ("sweep TINY --out mine", "mine/config.toml: is not a run's own"),
    ("sweep --config mine/config.toml TINY --out mine", "mine/config.toml: is not a run's own"),
    ("sweep TINY --out cut_results", "cut_results/results.parquet: is truncated or damaged"),
    ("sweep TINY --out cut_history", "cut_history/history.parquet: is truncated or damaged"),
    ("sweep TINY --out empty_results", "empty_results/results.parquet: is truncated or damaged"),
    ("sweep TINY --out flipped", "flipped/shards/1-of-1.jsonl: line 2 is damaged"),
    ("sweep TINY --out lost_line", "lost_line/shards/1-of-1.jsonl: line 3 is damaged"),
    ("sweep TINY --out notes", "notes/shards/notes.jsonl: line 1 is damaged"),
    ("sweep TINY --out journal_folder", "journal_folder/shards/1-of-1.jsonl: cannot be read"),
    ("sweep TINY --out rotten", ".parquet: is damaged (its content is not what the check in its name says)"),
    ("sweep TINY --steps 3 --out kept", "'--steps <GRID>' cannot be used multiple times"),
    ("sweep TINY --learning-rate 0.5 --out kept", "kept: holds 8 finished cells that are not part of this sweep"),
    // shards
    ("sweep run", "<DIR>"),
    ("sweep run nowhere", "nowhere: is no run folder: it has no plan.jsonl"),
    ("sweep run kept --shard 0/8", "'0/8' is no shard: write I/N with 1 <= I <= N <= 100000"),
    ("sweep run kept --shard 3", "'3' is no shard: write I/N"),
    ("sweep run kept --shard 1/2 --of 2", "'--of <N>'"),
    ("sweep run kept --of 2", "--of 2: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX says which shard to run"),
    ("sweep run kept --of 0", "0 is not in 1..=100000"),
    ("sweep run kept --alignment 0.5", "'--alignment'"),
    ("sweep run cut_plan", "cut_plan/plan.jsonl: line 3 is no cell ("),
    ("sweep run short_plan", "short_plan/plan.jsonl: has 7 of the 8 cells that config.toml asks for; plan again"),
    ("sweep run other_plan", "cell 1 of the plan is called 00000000000000000000000000000000 there"),
    ("sweep run broken_config", "broken_config/config.toml: unknown key 'alignement'"),
    ("sweep run flipped", "flipped/shards/1-of-1.jsonl: line 2 is damaged"),
    ("sweep run rotten", "is damaged (its content is not what the check in its name says)"),
    ("sweep gather rotten", "is damaged (its content is not what the check in its name says)"),
    ("sweep status rotten", "is damaged (its content is not what the check in its name says)"),
    ("sweep gather nowhere", "nowhere: is no run folder: it has no plan.jsonl"),
    ("sweep gather cut_plan", "cut_plan/plan.jsonl: line 3 is no cell ("),
    ("sweep status mine", "mine: is no run folder: it has no plan.jsonl"),
    ("sweep plan --seeds 1 --out mine", "mine/config.toml: is not a run's own"),
    ("sweep plan --alignment 2", "--alignment = 2: must be a number in [-1, 1]"),
    ("sweep plan --threads 2", "'--threads'"),
    ("sweep submit kept", "--slurm"),
    ("sweep submit nowhere --slurm", "nowhere: is no run folder"),
    ("sweep submit kept --slurm --shards 0", "0 is not in 1..=100000"),
    ("sweep submit kept --slurm --time ''", "must be one word"),
    ("sweep submit kept --slurm --partition a#b", "must be one word"),
    ("sweep --seeds 2 plan", "'plan'"),
    // reports
    ("report", "<RUN>..."),
    ("report nowhere", "nowhere: is no folder to read"),
    ("report fine.toml", "fine.toml: is no folder to read"),
    ("report mine", "mine: is not a run folder: it has no config.toml with a plan.jsonl or a results.parquet beside it"),
    ("report notes", "notes: is not a run folder"),
    ("report kept nowhere", "nowhere: is no folder to read"),
    ("report flipped", "flipped/shards/1-of-1.jsonl: line 2 is damaged"),
    ("report broken_config", "broken_config/config.toml: unknown key 'alignement'"),
    ("report broken_manifest", "broken_manifest/manifest.json: is damaged"),
    ("report broken_verdicts", "broken_verdicts/verdicts.json: is damaged"),
    ("report wrong_verdicts", "wrong_verdicts/verdicts.json: is no list of verdicts"),
    ("report kept --out fine.toml", "fine.toml: is not a report and would be written over"),
    ("report kept --out notes", "notes: is a folder; --out wants a file"),
    ("report kept --out nowhere/report.html", "nowhere/report.html: cannot be written"),
    ("report kept --out /proc/report.html", "/proc/report.html: cannot be written"),
    ("view", "<RUN>"),
    ("view nowhere --no-open", "nowhere: is no folder to read"),
    ("view mine --no-open", "mine: is not a run folder"),
    ("view flipped --no-open", "flipped/shards/1-of-1.jsonl: line 2 is damaged"),
    ("view kept --no-open --port 65536", "65536 is not in 0..=65535"),
    ("view kept --no-open --port http", "'http'"),
    ("view kept kept", "'kept'"),
];

/// Run folders of the table, all of the same sweep.
const RUNS: [&str; 12] = [
    "kept",
    "cut_results",
    "cut_history",
    "empty_results",
    "flipped",
    "lost_line",
    "rotten",
    "cut_plan",
    "short_plan",
    "other_plan",
    "broken_config",
    "broken_manifest",
];

/// A folder with everything the table speaks of.
fn fixture() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    FILES.iter().for_each(|(name, text)| fs::write(at(name), text).unwrap());
    fs::write(at("bytes.toml"), b"alignment = 0.5 # \xff\n").unwrap();
    fs::create_dir(at("mine")).unwrap();
    fs::write(at("mine/config.toml"), "alignment = 0.5 # written by hand\n").unwrap();
    fs::create_dir_all(at("notes/shards")).unwrap();
    fs::write(at("notes/shards/notes.jsonl"), "cells I like").unwrap();
    fs::create_dir_all(at("journal_folder/shards/1-of-1.jsonl")).unwrap();
    ["notes", "journal_folder"].iter().for_each(|name| fs::write(at(name).join(".lock"), "").unwrap());
    for name in RUNS {
        succeed(folder.path(), &format!("sweep {TINY} --out {name}"));
    }
    damage(&published(&at("rotten"))[0], |bytes| bytes[100] ^= 1);
    damage(&at("cut_plan/plan.jsonl"), |bytes| bytes.truncate(bytes.len() / 3));
    damage(&at("short_plan/plan.jsonl"), |bytes| bytes.truncate(bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1));
    damage(&at("other_plan/plan.jsonl"), |bytes| bytes[7..39].fill(b'0'));
    ["flipped", "lost_line"].iter().for_each(|name| drop(unpublish(&at(name))));
    fs::write(at("broken_config/config.toml"), "alignement = 0.5\n").unwrap();
    damage(&at("broken_manifest/manifest.json"), |bytes| bytes.truncate(bytes.len() / 2));
    for (name, text) in [("broken_verdicts", "[{"), ("wrong_verdicts", "[3]")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("verdicts.json"), text).unwrap();
    }
    damage(&at("cut_results/results.parquet"), |bytes| bytes.truncate(bytes.len() / 2));
    damage(&at("cut_history/history.parquet"), |bytes| bytes.truncate(bytes.len() - 1));
    damage(&at("empty_results/results.parquet"), Vec::clear);
    damage(&journal(&at("flipped")), |bytes| {
        let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 200;
        bytes[second] ^= 1;
    });
    damage(&journal(&at("lost_line")), |bytes| {
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i).collect();
        bytes[ends[2]] = b' ';
    });
    folder
}

fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_gpu_that_is_not_there_is_one_error_before_any_work() {
    if Path::new("/dev/nvidiactl").exists() {
        eprintln!("skipped: this machine has an NVIDIA driver");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for typed in ["sweep --backend cuda --out run", "bench --backend cuda"] {
        assert!(
            is_refusal(&run(folder.path(), typed), "backend = cuda: needs an NVIDIA driver, and libcuda.so.1 cannot be loaded"),
            "{typed}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let text = succeed(folder.path(), "sweep plan --backend cuda --steps 1 --seeds 1 --out planned");
    assert!(text.contains("planned"), "a plan can be made where there is no GPU: {text}");
}

/// Whether the answer is exit code 2, one message that says `fragment`, and silence otherwise.
fn is_refusal(output: &Output, fragment: &str) -> bool {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let one = stderr.starts_with("error: ") && stderr.lines().filter(|line| line.starts_with("error:")).count() == 1;
    let shows_where = stderr.contains("\nUsage: ") || stderr.contains("For more information") || stderr.contains("TOML parse error");
    let short = shows_where || stderr.lines().count() == 1;
    output.status.code() == Some(2) && one && short && stderr.contains(fragment) && output.stdout.is_empty()
}

/// What was typed, expected and answered, for the message of a failed test.
fn story(typed: &str, expected: &str, output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("mta-sim {typed}\nexpected: {expected}\n{}\n{stdout}{stderr}\n", output.status)
}

#[test]
fn every_wrong_input_ends_with_code_2_and_one_message_and_changes_nothing() {
    let folder = fixture();
    let mut before = state(folder.path());
    let mut wrong = Vec::new();
    for (typed, fragment) in WRONG {
        let output = run(folder.path(), &typed.replace("TINY", TINY));
        if !is_refusal(&output, fragment) {
            wrong.push(story(typed, fragment, &output));
        }
        let after = state(folder.path());
        if after != before {
            wrong.push(story(typed, "no file changed", &output));
        }
        before = after;
    }
    assert!(wrong.is_empty(), "{} of {} inputs:\n\n{}", wrong.len(), WRONG.len(), wrong.join("\n"));
}

#[test]
fn the_undamaged_folder_of_the_same_table_is_accepted() {
    let folder = fixture();
    let text = succeed(folder.path(), &format!("sweep {TINY} --out kept"));
    assert!(text.contains("8 of them from before"), "{text}");
    succeed(folder.path(), "sweep --config fine.toml --dry-run");
}

#[cfg(unix)]
#[test]
fn a_folder_without_write_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_err() {
        let typed = format!("sweep {TINY} --out locked");
        let output = run(folder.path(), &typed);
        assert!(is_refusal(&output, "locked: cannot be written to"), "{}", story(&typed, "a refusal", &output));
        assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_stops_reading_is_no_panic() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    for typed in ["list knobs", "sweep --dry-run", &format!("sweep {TINY} --out run")] {
        let mut child =
            program(folder.path()).args(typed.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{typed}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_not_utf8_works() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"run\xff");
    let output = program(folder.path()).arg("sweep").args(TINY.split_whitespace()).arg("--out").arg(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join(name).join("manifest.json").exists());
}

/// A recipe and knobs with which a plan of this knob at any one value makes sense.
fn dry_run(folder: &Path, more: &str) -> String {
    succeed(folder, &format!("sweep --dry-run --seeds 1 --recipes standard {more}"))
}

/// The cell ids of a dry run: whatever changes a setting changes them.
fn ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split("seeds  ").nth(1)).collect()
}

/// The settings of the recipe that the tests of knobs run.
fn standard() -> Config {
    Ready::named(RECIPES[0]).config
}

/// A valid value of the knob other than the one it has.
fn other_value(knob: &Knob) -> String {
    use mta_sim::sims::knob::{Kind, Value};
    let kind = (knob.kind)();
    let default = (knob.get)(&standard());
    let candidates: Vec<String> = match kind {
        Kind::Flag => ["true", "false"].map(String::from).into(),
        Kind::Choice(names) => names.iter().map(|n| n.to_string()).collect(),
        _ => ["2", "4", "0.25", "1", "0"].map(String::from).into(),
    };
    let fits =
        |text: &String| kind.parse(text) != default && knob.check(&kind.parse(text)).is_ok() && kind.parse(text) != Value::Text("".into());
    candidates.into_iter().find(fits).expect("every knob has two values")
}

#[test]
fn every_knob_is_a_flag_an_alias_and_a_key() {
    let folder = tempfile::tempdir().unwrap();
    for knob in KNOBS {
        let value = (knob.get)(&standard());
        for name in knob.aliases.iter().chain([&knob.name]) {
            let flag = dry_run(folder.path(), &format!("--{} {value}", name.replace('_', "-")));
            let underscored = dry_run(folder.path(), &format!("--{name}={value}"));
            let key = format!("\"{name}\"");
            fs::write(folder.path().join("c.toml"), format!("{key} = \"{value}\"\n")).unwrap();
            let file = dry_run(folder.path(), "--config c.toml");
            assert!(ids(&flag) == ids(&file) && ids(&flag) == ids(&underscored), "{name}");
        }
    }
}

#[test]
fn a_knob_given_another_value_makes_another_plan_by_flag_and_by_key_alike() {
    let folder = tempfile::tempdir().unwrap();
    let plain = dry_run(folder.path(), "");
    let mut same = Vec::new();
    for knob in KNOBS.iter().filter(|k| k.section != "signal") {
        let value = other_value(knob);
        fs::write(folder.path().join("c.toml"), format!("{} = \"{value}\"\n", knob.name)).unwrap();
        let flag = run(folder.path(), &format!("sweep --dry-run --seeds 1 --recipes standard --{} {value}", knob.name.replace('_', "-")));
        let file = run(folder.path(), "sweep --dry-run --seeds 1 --recipes standard --config c.toml");
        assert_eq!((flag.status.code(), &flag.stdout, &flag.stderr), (file.status.code(), &file.stdout, &file.stderr), "{}", knob.name);
        if flag.status.success() && ids(&String::from_utf8_lossy(&flag.stdout)) == ids(&plain) {
            same.push(knob.name);
        }
    }
    assert!(same.is_empty(), "these knobs change nothing: {same:?}");
}

#[test]
fn flags_beat_the_file_and_a_recipes_table_beats_the_files_top_level() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("c.toml"), text).unwrap();
    let value = |more: &str| ids(&dry_run(folder.path(), more)).join(" ");
    for knob in KNOBS.iter().filter(|k| RECIPE_SECTIONS.contains(&k.section) && (k.kind)().is_numeric()) {
        let (name, flag) = (knob.name, format!("--{}", knob.name.replace('_', "-")));
        let (default, other) = ((knob.get)(&standard()).to_string(), other_value(knob));
        write(&format!("{name} = {other}\n[recipe.standard]\n{name} = {default}\n"));
        assert_eq!(value("--config c.toml"), value(""), "{name}: the table beats the top level");
        write(&format!("{name} = {other}\n[recipe.standard]\n{name} = {other}\n"));
        assert_eq!(value(&format!("--config c.toml {flag} {default}")), value(""), "{name}: the flag beats both");
    }
}

#[test]
fn the_keys_of_a_run_give_way_to_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "recipes = 'random'\nrule = 'rloo'\nseeds = 3\nseed = 5\nout = 'there'\n").unwrap();
    let file = succeed(folder.path(), "sweep --config c.toml --dry-run");
    assert_eq!(
        file.lines().next(),
        succeed(folder.path(), "sweep --recipes random --rule rloo --seeds 3 --seed 5 --dry-run").lines().next()
    );
    assert!(file.contains("3 cells") && file.contains("folder there"), "{file}");
    let flags = succeed(folder.path(), "sweep --config c.toml --recipes standard --rule grpo --seeds 2 --seed 0 --out here --dry-run");
    assert_eq!(flags, succeed(folder.path(), "sweep --recipes standard --seeds 2 --out here --dry-run"));
}

#[test]
fn everything_listed_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    for kind in mta_sim::cli::KINDS {
        let list = succeed(folder.path(), &format!("list {kind}"));
        assert!(list.lines().count() > 0, "{kind}");
        for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
            let shown = succeed(folder.path(), &format!("show {} {name}", kind.trim_end_matches('s')));
            assert!(shown.starts_with(&format!("{name}: ")), "{shown}");
        }
    }
}

/// A replicate is what it is whatever runs beside it, an output that is not measured has empty fields, and so has the half width of an exact number.
#[test]
fn simulated_columns_are_reproducible_and_empty_where_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let print = |typed: &str| succeed(folder.path(), typed);
    let typed = "theory P6 --against-sim --csv --replicates 20 --seed 5";
    let one =
        String::from_utf8(program(folder.path()).args(typed.split(' ')).env("RAYON_NUM_THREADS", "1").output().unwrap().stdout).unwrap();
    assert_eq!(one, print(typed));
    assert_ne!(one, print(&typed.replace("--seed 5", "--seed 6")));
    let lines: Vec<Vec<&str>> = one.lines().map(|line| line.split(',').collect()).collect();
    let field = |name: &str| lines[1][lines[0].iter().position(|head| *head == name).unwrap_or_else(|| panic!("no column {name}"))];
    assert_eq!((field("youden_sim"), field("youden_sim_half_width")), ("", ""));
    assert!(field("rate_pg_sim").parse::<f64>().is_ok() && field("rate_pg_sim_half_width").is_empty());
    assert!(field("amplification_sim").parse::<f64>().is_ok() && field("amplification_sim_half_width").parse::<f64>().is_ok());
}

/// Compares with the stored text, the numbers of a machine and moment masked.
fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// `text` with the seconds and the hashes replaced.
fn masked(text: &str) -> String {
    let words = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
    let mask = |line: &str| {
        let mut words = words(line);
        for i in 0..words.len() {
            let seconds = words.get(i + 1).is_some_and(|next| *next == "s" || *next == "s.");
            if seconds || words[i].ends_with("...") {
                words[i] = "#".into();
            } else if words[i].starts_with("runs/sweep-") {
                words[i] = "runs/sweep-#".into();
            }
        }
        words.join(" ") + "\n"
    };
    text.lines().map(mask).collect()
}

#[test]
fn what_it_prints_is_what_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let print = |typed: &str| succeed(folder.path(), typed);
    for (name, typed) in [
        ("help", "--help"),
        ("sweep_help", "sweep --help"),
        ("sweep_run_help", "sweep run --help"),
        ("sweep_submit_help", "sweep submit --help"),
        ("list_rules", "list rules"),
        ("list_signals", "list signals"),
        ("list_recipes", "list recipes"),
        ("list_knobs", "list knobs"),
        ("show_rule_grpo", "show rule grpo"),
        ("show_recipe_one-shot", "show recipe one-shot"),
        ("show_signal_noisy", "show signal noisy"),
        ("show_knob_lr", "show knob lr"),
        ("theory_point", "theory P2"),
        ("theory_grid", "theory P2 --p0 0.02,0.2 --arms 2,5"),
        ("theory_help", "theory P5 --help"),
        ("theory_point_against_sim", "theory finite-group-gradient --against-sim"),
        ("theory_grid_against_sim", "theory p5 --p 0.05..0.2:0.05 --against-sim --replicates 50 --seed 7"),
        ("theory_exact_against_sim", "theory P32 --p0 0.01,0.3 --against-sim"),
    ] {
        snapshot(name, &print(typed));
    }
    snapshot("dry_run", &masked(&print(&format!("sweep {TINY} --dry-run --threads 2"))));
    snapshot("sweep", &masked(&print(&format!("sweep {TINY} --out run"))));
}
