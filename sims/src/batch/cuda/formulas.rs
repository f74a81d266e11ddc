//! The formulas of the kernel, printed from where they are defined: signals from [`crate::signals`], building blocks from [`crate::objective`], moments from
//! [`crate::paid`]. A family of formulas, such as the baselines, becomes one function for each and one that chooses by a constant.

use super::term::{Book, Fact, Term, literal};
use crate::batch::math;
use crate::config::{Baseline, KlForm, LossAgg, Objective, PolicyLoss, RatioLevel, RewardMap, Scale};
use crate::objective::{Around, Blocks, Dials, OfBatch, kl_slope, kl_value};
use crate::paid::Earned;
use crate::registry::Named;
use crate::signals::SIGNALS;

/// What a family of functions shares.
struct Family {
    name: &'static str,
    returns: &'static str,
    /// (type, name) of the parameters.
    parameters: &'static [(&'static str, &'static str)],
}

const KNOBS: (&str, &str) = ("const Knobs &", "knobs");
/// Rewards with weights, of a group, a batch, or all tokens.
const OWN: (&str, &str) = ("const Own &", "own");
const BY_LENGTH: (&str, &str) = ("const ByLength &", "by_length");
const DRAW: (&str, &str) = ("const Draw &", "draw");
const MEAN: (&str, &str) = ("float", "mean");
const REWARD: (&str, &str) = ("float", "reward");

impl Family {
    fn head(&self, suffix: &str) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(|(kind, name)| format!("{kind} {name}").replace("& ", "&")).collect();
        let template = if self.parameters.contains(&OWN) { "template <class Own> " } else { "" };
        format!("{template}DEVICE {} {}{suffix}({})", self.returns, self.name, parameters.join(", "))
    }

    /// The one function of a family without choice.
    fn alone(&self, write: impl FnOnce(&Book) -> Vec<String>) -> String {
        format!("{} {{\n{}}}\n\n", self.head(""), Book::body(write))
    }

    /// One function per case, and the one that chooses by the constant `by`, the number of a case among all.
    fn choice<C>(&self, by: &str, cases: impl Iterator<Item = (String, C)>, write: impl Fn(&Book, C) -> Vec<String>) -> String {
        let (mut text, mut switch) = (String::new(), String::new());
        let arguments: Vec<&str> = self.parameters.iter().map(|(_, name)| *name).collect();
        for (number, (name, case)) in cases.enumerate() {
            text += &format!("{} {{\n{}}}\n\n", self.head(&format!("_{name}")), Book::body(|book| write(book, case)));
            let label = if number == 0 { "default".into() } else { format!("case {number}") };
            switch += &format!("    {label}: return {}_{name}({});\n", self.name, arguments.join(", "));
        }
        format!("{text}{} {{\n    switch ({by}) {{\n{switch}    }}\n}}\n\n", self.head(""))
    }
}

/// All formulas, as C.
pub(super) fn print() -> String {
    [polynomials(), signals(), moments(), maps(), of_batch(), centring(), tokens(), losses(), penalties()].concat()
}

/// The two polynomials of [`math`], by Horner's rule.
fn polynomials() -> String {
    let horner = |name, coefficients: &[f32]| {
        let family = Family { name, returns: "float", parameters: &[("float", "x")] };
        let steps = coefficients[1..].iter().fold(literal(coefficients[0]), |inner, c| format!("fmaf({inner}, x, {})", literal(*c)));
        family.alone(|_| vec![steps])
    };
    horner("exp2_polynomial", &math::EXP2) + &horner("log2_polynomial", &math::LOG2)
}

fn signals() -> String {
    let family = Family { name: "pay", returns: "float", parameters: &[DRAW, KNOBS] };
    let all = SIGNALS.iter().map(|signal| (signal.name().to_string(), signal));
    family.choice("SIGNAL", all, |book, signal| vec![signal.formula.printed(&super::term::Sample(book)).text()])
}

/// The columns of `own`, or of another thing of its kind, as the printed formulas name them.
struct Own<'b> {
    weights: [Term<'b>; 1],
    rewards: [Term<'b>; 1],
    size: Option<Term<'b>>,
}

impl<'b> Own<'b> {
    fn group(book: &'b Book) -> Self {
        Own { size: Some(book.leaf("own.size")), ..Own::batch(book) }
    }

    fn batch(book: &'b Book) -> Self {
        Own::named(book, "own")
    }

    fn named(book: &'b Book, name: &str) -> Self {
        Own { weights: [book.leaf(format!("{name}.weights[0]"))], rewards: [book.leaf(format!("{name}.rewards[0]"))], size: None }
    }

    fn earned(&self) -> Earned<'_, Term<'b>> {
        Earned { weights: &self.weights, rewards: &self.rewards, size: self.size }
    }
}

/// What a group's advantages depend on, as the printed formulas name it.
fn around<'o, 'b>(book: &'b Book, by_length: &'o Own<'b>) -> Around<'o, Term<'b>> {
    let batch = OfBatch { mean: book.leaf("of_batch.mean"), scale: book.leaf("of_batch.scale") };
    Around { batch, by_length: by_length.earned(), greedy: book.leaf("greedy"), density: book.leaf("1.0f") }
}

/// The blocks of `choice`, with knobs by name.
fn blocks<'a, 'b>(book: &'b Book, choice: &'a Objective) -> Blocks<'a, Term<'b>> {
    Blocks { choice, dials: Dials::named(|name| book.leaf(format!("knobs.{name}"))) }
}

fn moments() -> String {
    let of = |name, returns| Family { name, returns, parameters: &[OWN] };
    let lead = Family { name: "lead", returns: "Lead", parameters: &[OWN, ("const Two &", "two"), ("float", "led"), REWARD] };
    [
        of("mean_of", "float").alone(|book| vec![Own::group(book).earned().mean().text()]),
        of("deviation_of", "float").alone(|book| vec![Own::group(book).earned().std().text()]),
        of("variance_of", "float").alone(|book| vec![Own::group(book).earned().variance(0).text()]),
        of("is_flat", "bool").alone(|book| vec![Own::group(book).earned().is_flat().text()]),
        of("best_two", "Two").alone(|book| Own::group(book).earned().best_two().map(Term::text).to_vec()),
        lead.alone(|book| {
            let two = [book.leaf("two.best"), book.leaf("two.second")];
            Own::group(book).earned().lead(two, book.leaf("led"), book.leaf("reward")).map(Term::text).to_vec()
        }),
    ]
    .concat()
}

/// Every variant of a knob, named, with the objective that chooses it.
fn variants<V: Copy>(all: &[V], name: fn(V) -> &'static str, choose: fn(&mut Objective, V)) -> impl Iterator<Item = (String, Objective)> {
    all.iter().map(move |variant| {
        let mut objective = Objective::DEFAULT;
        choose(&mut objective, *variant);
        (name(*variant).replace('-', "_"), objective)
    })
}

fn baselines() -> impl Iterator<Item = (String, Objective)> {
    variants(Baseline::ALL, Baseline::name, |o, baseline| o.baseline = baseline)
}

/// Every scale with every divisor of the variance, in the order of [`scale_number`].
fn scales() -> impl Iterator<Item = (String, Objective)> {
    variants(Scale::ALL, Scale::name, |o, scale| o.scale = scale).flat_map(|(name, objective)| {
        (0..DDOFS).map(move |std_ddof| (format!("{name}_{std_ddof}"), Objective { std_ddof, ..objective.clone() }))
    })
}

/// Values that `std_ddof` may have.
const DDOFS: usize = 2;

/// Number of a rule's scale among the printed ones.
pub(super) fn scale_number(rule: &Objective) -> usize {
    rule.scale as usize * DDOFS + rule.std_ddof
}

fn maps() -> String {
    let mapped = Family { name: "mapped", returns: "float", parameters: &[KNOBS, REWARD] };
    let maps = variants(RewardMap::ALL, RewardMap::name, |o, map| o.reward_map = map);
    let sign_weight = Family { name: "sign_weight", returns: "float", parameters: &[KNOBS, REWARD] };
    let whitened = Family { name: "whitened", returns: "float", parameters: &[KNOBS, ("float", "advantage"), MEAN, ("float", "std")] };
    let any = Objective::DEFAULT;
    [
        mapped.choice("REWARD_MAP", maps, |book, o| vec![blocks(book, &o).mapped(book.leaf("reward")).text()]),
        sign_weight.alone(|book| vec![blocks(book, &any).sign_weight(book.leaf("reward")).text()]),
        whitened.alone(|book| vec![blocks(book, &any).whitened(book.leaf("advantage"), book.leaf("mean"), book.leaf("std")).text()]),
    ]
    .concat()
}

fn of_batch() -> String {
    let mean = Family { name: "batch_mean", returns: "float", parameters: &[KNOBS, OWN] };
    let scale = Family { name: "batch_scale", returns: "float", parameters: &[KNOBS, OWN] };
    mean.choice("BASELINE", baselines(), |book, o| vec![blocks(book, &o).of_batch(&Own::batch(book).earned()).mean.text()])
        + &scale.choice("SCALE", scales(), |book, o| vec![blocks(book, &o).of_batch(&Own::batch(book).earned()).scale.text()])
}

fn centring() -> String {
    const PARAMETERS: &[(&str, &str)] = &[KNOBS, OWN, BY_LENGTH, MEAN, ("const OfBatch &", "of_batch"), ("float", "greedy")];
    let baseline = Family { name: "baseline", returns: "Centre", parameters: PARAMETERS };
    let divisor = Family { name: "divisor", returns: "float", parameters: PARAMETERS };
    let centre = |book: &Book, o: Objective| {
        let (own, by_length) = (Own::group(book), Own::named(book, BY_LENGTH.1));
        let (factor, baseline) = blocks(book, &o).baseline(&own.earned(), book.leaf("mean"), &around(book, &by_length));
        vec![factor.text(), baseline.text()]
    };
    let divide = |book: &Book, o: Objective| {
        let (own, by_length) = (Own::group(book), Own::named(book, BY_LENGTH.1));
        vec![blocks(book, &o).divisor(&own.earned(), book.leaf("mean"), &around(book, &by_length)).text()]
    };
    let rounded_off = Family { name: "rounded_off", returns: "float", parameters: &[OWN, BY_LENGTH, ("float", "baseline")] };
    let rest = |book: &Book, o: Objective| {
        let (own, by_length) = (Own::group(book), Own::named(book, BY_LENGTH.1));
        vec![blocks(book, &o).rounded_off(&own.earned(), book.leaf("baseline"), &around(book, &by_length)).text()]
    };
    [
        baseline.choice("BASELINE", baselines(), centre),
        divisor.choice("SCALE", scales(), divide),
        rounded_off.choice("BASELINE", baselines(), rest),
    ]
    .concat()
}

/// What only responses of more than one token ask for.
fn tokens() -> String {
    let weight = Family {
        name: "token_weight",
        returns: "float",
        parameters: &[("float", "weight"), ("float", "length"), ("float", "mean_length"), ("float", "longest")],
    };
    let ratio = Family { name: "log_ratio", returns: "float", parameters: &[("float", "own"), ("float", "sum"), ("float", "length")] };
    let ways = variants(LossAgg::ALL, LossAgg::name, |o, way| o.loss_agg_mode = way);
    let levels = variants(RatioLevel::ALL, RatioLevel::name, |o, level| o.importance_sampling_level = level);
    let weigh = |book: &Book, o: Objective| {
        let [weight, length, mean_length, longest] = ["weight", "length", "mean_length", "longest"].map(|name| book.leaf(name));
        vec![blocks(book, &o).token_weight(weight, length, mean_length, longest).text()]
    };
    let relate = |book: &Book, o: Objective| {
        let [own, sum, length] = ["own", "sum", "length"].map(|name| book.leaf(name));
        vec![blocks(book, &o).log_ratio(own, sum, length).text()]
    };
    weight.choice("LOSS_AGG", ways, weigh) + &ratio.choice("RATIO_LEVEL", levels, relate)
}

fn losses() -> String {
    let family = Family { name: "push_of", returns: "Push", parameters: &[KNOBS, ("float", "ratio"), ("float", "advantage")] };
    let losses = variants(PolicyLoss::ALL, PolicyLoss::name, |o, loss| o.policy_loss = loss);
    family.choice("POLICY_LOSS", losses, |book, o| {
        let (slope, cuts) = blocks(book, &o).push(book.leaf("ratio"), book.leaf("advantage"));
        [vec![slope.text()], cuts.map(Fact::text).to_vec()].concat()
    })
}

fn penalties() -> String {
    let forms = || KlForm::ALL.iter().map(|form| (form.name().replace('+', "_plus"), *form));
    let family = |name| Family { name, returns: "float", parameters: &[("float", "rho")] };
    family("kl_value").choice("KL_FORM", forms(), |book, form| vec![kl_value::<Term>(form, book.leaf("rho")).text()])
        + &family("kl_slope").choice("KL_FORM", forms(), |book, form| vec![kl_slope::<Term>(form, book.leaf("rho")).text()])
}
