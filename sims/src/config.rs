//! Every knob, once: its type, default, range and meaning. The command line, the configuration file, the checks and the documentation read this list.

pub use crate::choices::{
    AlignBy, Baseline, Geometry, KlForm, KlPlace, LossAgg, Mode, PolicyLoss, RatioLevel, Regime, RewardMap, Sampler, Scale, SelectBy,
};
use crate::knob::{Kind, KnobError, Range, Setting, Value, above, above_to, at_least, between, finite, inside};
use crate::stream::MAX_STEPS;

/// One entry of the list.
pub struct Knob {
    /// Its name in files; on the command line with `-` for `_`.
    pub name: &'static str,
    /// What TRL, verl or others call it.
    pub aliases: &'static [&'static str],
    /// The part of [`Config`] it belongs to.
    pub section: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Type and range.
    pub kind: fn() -> Kind,
    /// Reads it from a configuration.
    pub get: fn(&Config) -> Value,
    set: fn(&mut Config, &Value),
}

impl Knob {
    /// Sets the knob in `config`, or says what is allowed.
    pub fn set(&self, config: &mut Config, value: &Value) -> Result<(), KnobError> {
        self.check(value)?;
        (self.set)(config, value);
        Ok(())
    }

    /// Whether `value` is of the right type and in range.
    pub fn check(&self, value: &Value) -> Result<(), KnobError> {
        let kind = (self.kind)();
        if kind.check(value) { Ok(()) } else { Err(KnobError::new(self.name, value, format!("must be {kind}"))) }
    }

    /// The knob called `name`, or an alias of it.
    pub fn find(name: &str) -> Option<&'static Knob> {
        KNOBS.iter().find(|k| k.name == name || k.aliases.contains(&name))
    }
}

macro_rules! knobs {
    ($($(#[doc = $sdoc:literal])+ $section:ident: $name:ident {
        $($(#[doc = $doc:literal])+ $knob:ident: $type:ty = $default:expr, $range:expr, [$($alias:literal),*];)+
    })+) => {
        $(
            $(#[doc = $sdoc])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name { $($(#[doc = $doc])+ pub $knob: $type),+ }

            impl $name {
                /// The defaults.
                pub const DEFAULT: Self = $name { $($knob: $default),+ };
            }
        )+

        /// All settings of one training run.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config { $($(#[doc = $sdoc])+ pub $section: $name),+ }

        impl Config {
            /// The defaults.
            pub const DEFAULT: Self = Config { $($section: $name::DEFAULT),+ };
        }

        /// The list of knobs, in the order of the documentation.
        pub static KNOBS: &[Knob] = &[$($(Knob {
            name: stringify!($knob),
            aliases: &[$($alias),*],
            section: stringify!($section),
            doc: concat!($($doc),+),
            kind: || <$type as Setting>::kind($range),
            get: |c| c.$section.$knob.value(),
            set: |c, v| if let Some(x) = <$type as Setting>::of(v) { c.$section.$knob = x },
        }),+),+];
    };
}

/// The range of knobs that are not numbers.
const ANY: Range = finite();

knobs! {
    /// The task and the prior (design: world).
    world: World {
        /// Correlation, at each depth, between the base model's shared log-prior and the token qualities. With `align_by`, the target instead.
        alignment: f64 = 0.5, between(-1.0, 1.0), [];
        /// What the `alignment` numbers are: the knob itself, or base pass@k to reach by bisection on the knob.
        align_by: AlignBy = AlignBy::Knob, ANY, [];
        /// Confidence kappa: standard deviation of the shared log-prior over tokens, in nats.
        confidence: f64 = 1.0, between(0.0, 1e3), ["kappa"];
        /// Idiosyncrasy tau: standard deviation of the prompt-specific part of the prior, in nats.
        idiosyncrasy: f64 = 0.5, between(0.0, 1e3), ["tau"];
        /// Tokens to choose from at each depth, V.
        vocab: usize = 32, between(3.0, 1_048_576.0), ["arms"];
        /// Tokens of a response, H; 1 is the skill bandit.
        depth: usize = 1, between(1.0, 64.0), ["horizon"];
        /// Whether a response may stop after its first token; it is then correct only if it is long enough for its prompt.
        end_token: bool = false, ANY, [];
        /// Log-prior of the end token, in nats beside tokens of mean 0.
        end_logit: f64 = 0.0, between(-1e3, 1e3), [];
        /// Training prompts, P.
        prompts: usize = 64, between(1.0, 1_048_576.0), [];
        /// Held-out prompts, on which gains are measured.
        held_out: usize = 256, between(1.0, 1_048_576.0), [];
        /// Good tokens per depth.
        good_tokens: usize = 3, at_least(0.0), [];
        /// Chance that a good token is right for a prompt.
        good_quality: f64 = 0.85, between(0.0, 1.0), [];
        /// Mean chance m that another token is right: q ~ Beta(1, 1/m - 1).
        bad_quality: f64 = 0.04, between(0.0, 0.5), [];
        /// Lowers every quality by this many nats of log-odds.
        difficulty: f64 = 0.0, between(-50.0, 50.0), [];
        /// Standard deviation over prompts of their own difficulty, in nats of log-odds.
        difficulty_spread: f64 = 0.0, between(0.0, 50.0), [];
        /// Share of tokens that keep a response well formed; an ill-formed response is never correct.
        format_rate: f64 = 1.0, above_to(0.0, 1.0), [];
    }
    /// The policy.
    policy: Policy {
        /// Sharing rho: part of each gradient that moves the skill all prompts share; the rest moves the prompt's own memory.
        sharing: f64 = 0.8, between(0.0, 1.0), ["rho"];
    }
    /// How long and how much to train.
    train: Train {
        /// Sampled rollouts, or the expected update by enumeration of all responses.
        mode: Mode = Mode::Sampled, ANY, [];
        /// Training steps (rollout batches).
        steps: usize = 40, between(0.0, (MAX_STEPS - 1) as f64), ["max_steps", "total_training_steps"];
        /// Prompts per step, drawn with replacement.
        train_batch_size: usize = 16, between(1.0, 1_048_576.0), ["batch_prompts", "rollout_batch_size"];
        /// Rollouts per prompt, G.
        group_size: usize = 16, between(1.0, 1_048_576.0), ["num_generations", "n_samples_per_prompt", "rollout.n"];
        /// Step size eta of plain gradient ascent.
        learning_rate: f64 = 1.0, between(0.0, 1e6), ["lr"];
        /// Passes over each rollout batch.
        num_iterations: usize = 1, between(1.0, 1e4), ["ppo_epochs", "epochs"];
        /// Updates per pass: the batch is cut into this many minibatches of prompts.
        minibatches: usize = 1, between(1.0, 1e6), [];
        /// Parts of a minibatch over which the `token-mean-local` aggregation averages one by one.
        micro_batches: usize = 1, between(1.0, 1e6), ["gradient_accumulation_steps"];
        /// Steps between evaluations on held-out prompts; the first and the last step are always evaluated.
        eval_every: usize = 2, at_least(1.0), ["test_freq", "eval_steps"];
    }
    /// Parameters of reward signals; each signal uses its own.
    signal: Signals {
        /// P(reward 1 | correct) of `noisy`.
        tpr: f64 = 0.9, between(0.0, 1.0), [];
        /// P(reward 1 | incorrect) of `noisy`.
        fpr: f64 = 0.1, between(0.0, 1.0), [];
        /// Share of prompts whose label is wrong, of `label_noise`.
        label_noise: f64 = 0.2, between(0.0, 1.0), [];
        /// P(reward 1) of `random` and `random_format`.
        random_rate: f64 = 0.5, between(0.0, 1.0), ["gamma_random"];
        /// Rollouts that vote in `majority` (0: the group itself); extra ones vote but are not trained on.
        votes: usize = 0, between(0.0, 1_048_576.0), ["n_votes_per_prompt"];
        /// Power alpha of the prior in `tilted`, `tempered` and `task_plus_prior`.
        prior_power: f64 = 2.0, between(-100.0, 100.0), [];
        /// k = 1/beta of `tilted` and `task_plus_prior`: how many nats of log-prior a correct answer is worth.
        beta_inv: f64 = 100.0, above(0.0), [];
        /// k of the `pass_at_k` reward.
        pass_k: usize = 8, at_least(1.0), [];
    }
    /// What is trained on, and who samples.
    data: Data {
        /// Which prompts are trained on: all, a few, one, or the held-out prompts themselves.
        regime: Regime = Regime::Full, ANY, [];
        /// Prompts of the `few` regime.
        few: usize = 4, at_least(1.0), [];
        /// How `one-shot` and `few` choose prompts: base pass rate nearest 1/2; largest variance of the pass rate over a pilot run on all prompts; at random.
        select_by: SelectBy = SelectBy::Half, ANY, [];
        /// Who samples the rollouts: the policy, or a stronger teacher on the same task.
        sampler: Sampler = Sampler::Policy, ANY, [];
        /// Alignment of the teacher's prior.
        teacher_alignment: f64 = 1.0, between(-1.0, 1.0), [];
        /// Confidence of the teacher's prior, in nats.
        teacher_confidence: f64 = 2.0, between(0.0, 1e3), [];
    }
    /// The update rule, as building blocks; a rule of the registry is a named choice of these.
    objective: Objective {
        /// What becomes of the reward first: itself, or +1 where positive and -1 elsewhere.
        reward_map: RewardMap = RewardMap::Raw, ANY, [];
        /// What is subtracted from the reward.
        baseline: Baseline = Baseline::GroupMean, ANY, [];
        /// What the centred reward is divided by.
        scale: Scale = Scale::None, ANY, ["scale_rewards"];
        /// Floor added to the divisor, in units of reward.
        std_floor: f64 = 1e-6, between(0.0, 1e6), [];
        /// Divisor of the variance is G minus this: 0 population, 1 sample.
        std_ddof: usize = 0, between(0.0, 1.0), [];
        /// Whether advantages are standardised over all tokens of the batch.
        whiten: bool = false, ANY, [];
        /// Weight of rollouts with positive reward.
        positive_weight: f64 = 1.0, between(0.0, 1e6), ["psr_weight"];
        /// Weight of the other rollouts.
        negative_weight: f64 = 1.0, between(0.0, 1e6), ["nsr_weight"];
        /// Discount per token.
        gamma: f64 = 1.0, above_to(0.0, 1.0), [];
        /// Lambda of generalised advantage estimation, with the `critic` baseline.
        gae_lambda: f64 = 1.0, between(0.0, 1.0), ["lam"];
        /// Step size of the critic, one value per prompt and position.
        critic_learning_rate: f64 = 0.5, between(0.0, 1.0), ["critic_lr"];
        /// Surrogate objective of a token: score function, clipped ratio, or clipped stop-gradient weight.
        policy_loss: PolicyLoss = PolicyLoss::Clip, ANY, ["loss_mode"];
        /// Which probability ratio: of the token, geometric mean over the sequence, or product over the sequence.
        importance_sampling_level: RatioLevel = RatioLevel::Token, ANY, [];
        /// Ratio may fall to 1 - clip_low before it stops counting.
        clip_low: f64 = 0.2, above_to(0.0, 1.0), ["clip_ratio_low", "cliprange_low"];
        /// Ratio may rise to 1 + clip_high before it stops counting.
        clip_high: f64 = 0.2, above(0.0), ["clip_ratio_high", "cliprange_high"];
        /// Dual clip: with a negative advantage the ratio stops counting above this; 0 is off.
        clip_ratio_c: f64 = 0.0, at_least(0.0), ["delta"];
        /// Smallest weight of `cispo`.
        cispo_low: f64 = 0.0, between(0.0, 1.0), [];
        /// Largest weight of `cispo`, itself (not added to 1).
        cispo_high: f64 = 5.0, at_least(1.0), [];
        /// How token losses become one number.
        loss_agg_mode: LossAgg = LossAgg::SeqMeanTokenMean, ANY, [];
        /// Weight of the KL divergence from the base policy.
        kl_beta: f64 = 0.0, between(0.0, 1e6), ["kl_loss_coef", "kl_coef", "beta"];
        /// Estimator of that divergence; `k3+` reports k3 and differentiates k2.
        kl_form: KlForm = KlForm::K3, ANY, ["kl_loss_type"];
        /// Whether it is taken off the reward or added to the loss.
        kl_place: KlPlace = KlPlace::Loss, ANY, [];
        /// Weight of the entropy bonus.
        entropy_coeff: f64 = 0.0, between(-1e6, 1e6), ["entropy_coef"];
        /// Whether groups whose rewards are all equal are dropped and replaced by fresh ones.
        dynamic_sampling: bool = false, ANY, ["filter_groups"];
        /// Rollout batches a step may draw in search of groups that differ.
        max_num_gen_batches: usize = 10, between(1.0, 1e4), [];
        /// Geometry of the update: logits as they are, or Fisher's (natural gradient; exact mode only).
        geometry: Geometry = Geometry::Euclidean, ANY, [];
    }
}

impl Train {
    /// Prompts of an update, as step sizes count them: not rounded, where the minibatches are of unequal size.
    pub fn prompts_per_update(&self) -> f64 {
        self.train_batch_size as f64 / self.minibatches as f64
    }

    /// Whether the policy is evaluated after `step` updates: every `eval_every`, and at the end.
    pub fn evaluates(&self, step: usize) -> bool {
        step.is_multiple_of(self.eval_every) || step == self.steps
    }

    /// How often it is evaluated, first and last step included.
    pub fn evaluations(&self) -> usize {
        1 + self.steps.div_ceil(self.eval_every)
    }
}

impl World {
    /// All of it as text: worlds of one seed are equal where this is.
    pub fn key(&self) -> String {
        format!("{self:?}")
    }

    /// Tokens a response may choose from at `depth` (0-based): the end token joins after the first.
    pub fn actions(&self, depth: usize) -> usize {
        self.vocab + usize::from(self.end_token && depth > 0)
    }

    /// The most actions of any depth.
    pub fn widest(&self) -> usize {
        self.vocab + usize::from(self.end_token && self.depth > 1)
    }

    /// All prompts, training and held-out.
    pub fn all_prompts(&self) -> usize {
        self.prompts + self.held_out
    }

    /// Number of different responses, saturating at `f64` infinity.
    pub fn responses(&self) -> f64 {
        let v = self.vocab as f64;
        let full = v.powi(self.depth as i32);
        if self.end_token { (1..self.depth).map(|d| v.powi(d as i32)).sum::<f64>() + full } else { full }
    }
}

/// Responses per prompt that exact mode is willing to enumerate.
pub const MAX_ENUMERATED: f64 = 65_536.0;

/// Tokens of all rollouts of one step.
const MAX_STEP_TOKENS: f64 = 2e7;

/// Entries of the prior table a world may hold (8 bytes each).
const MAX_PRIOR_ENTRIES: f64 = 2e8;

impl Config {
    /// How many prompts are trained on.
    pub fn trained_on(&self) -> usize {
        match self.data.regime {
            Regime::Full => self.world.prompts,
            Regime::TestTime => self.world.held_out,
            Regime::OneShot => 1,
            Regime::Few => self.data.few,
        }
    }

    /// Checks what no single range can: clashes between knobs.
    pub fn validate(&self) -> Result<(), KnobError> {
        self.validate_world()?;
        self.validate_batches()?;
        self.validate_exact()?;
        self.validate_memory()
    }

    fn validate_world(&self) -> Result<(), KnobError> {
        let w = &self.world;
        require(w.good_tokens < w.vocab, "good_tokens", w.good_tokens, format!("must be less than vocab = {}", w.vocab))?;
        require(
            w.good_tokens > 0 || w.bad_quality > 0.0,
            "good_tokens",
            w.good_tokens,
            "must be at least 1 when bad_quality is 0: no token could ever be right",
        )?;
        let targets = w.align_by == AlignBy::Knob || inside(0.0, 1.0).holds(w.alignment);
        require(targets, "alignment", w.alignment, "must be inside (0, 1) when align_by asks for a base pass@k")?;
        let codes = ((w.widest() + 1) as f64).log2() * w.depth as f64;
        require(
            codes < 127.0,
            "depth",
            w.depth,
            format!("depth x log2(vocab + 2) = {codes:.0} bits must be below 127, so that every response has a name"),
        )?;
        let entries = w.all_prompts() as f64 * w.depth as f64 * w.widest() as f64;
        require(
            entries <= MAX_PRIOR_ENTRIES,
            "vocab",
            w.vocab,
            format!("(prompts + held_out) x depth x vocab = {entries:.1e} must be at most {MAX_PRIOR_ENTRIES:.0e}"),
        )
    }

    fn validate_batches(&self) -> Result<(), KnobError> {
        let (t, o) = (&self.train, &self.objective);
        let needs_two = !matches!(o.baseline, Baseline::None | Baseline::BatchMean | Baseline::Greedy | Baseline::Critic)
            || matches!(o.scale, Scale::GroupStd);
        let enough = t.mode == Mode::Exact || !needs_two || t.group_size >= 2;
        require(enough, "group_size", t.group_size, "must be at least 2 for a rule that compares rollouts of one prompt")?;
        require(
            t.minibatches <= t.train_batch_size,
            "minibatches",
            t.minibatches,
            format!("must be at most train_batch_size = {}", t.train_batch_size),
        )?;
        let per_minibatch = t.train_batch_size / t.minibatches;
        require(
            t.micro_batches <= per_minibatch,
            "micro_batches",
            t.micro_batches,
            format!("must be at most the {per_minibatch} prompts of a minibatch"),
        )?;
        let few_fit = self.data.regime != Regime::Few || self.data.few <= self.world.prompts;
        require(few_fit, "few", self.data.few, format!("must be at most prompts = {}", self.world.prompts))
    }

    /// A step holds all its rollouts at once, at a few hundred bytes per token.
    fn validate_memory(&self) -> Result<(), KnobError> {
        let (t, w) = (&self.train, &self.world);
        let per_prompt = if t.mode == Mode::Exact { w.responses() } else { t.group_size.max(self.signal.votes) as f64 };
        let (knob, prompts) = match (t.mode, self.data.regime) {
            (Mode::Sampled, _) => ("train_batch_size", t.train_batch_size),
            (Mode::Exact, Regime::TestTime) => ("held_out", w.held_out),
            (Mode::Exact, _) => ("prompts", w.prompts),
        };
        let tokens = prompts as f64 * per_prompt * w.depth as f64;
        let allowed =
            format!("a step would hold {knob} x responses x depth = {tokens:.1e} tokens; at most {MAX_STEP_TOKENS:.0e} are allowed");
        require(tokens <= MAX_STEP_TOKENS, knob, prompts, allowed)
    }

    fn validate_exact(&self) -> Result<(), KnobError> {
        let exact = self.train.mode == Mode::Exact;
        let natural = self.objective.geometry == Geometry::Natural;
        require(exact || !natural, "mode", self.train.mode.name(), "must be exact for a natural-gradient rule (npg, npg_std)")?;
        let small = !exact || self.world.responses() <= MAX_ENUMERATED;
        require(
            small,
            "mode",
            "exact",
            format!("enumerates every response: vocab^depth = {:.3e} must be at most {MAX_ENUMERATED}", self.world.responses()),
        )
    }
}

/// A refusal of `value` where it does not hold.
pub(crate) fn require(holds: bool, knob: &str, value: impl std::fmt::Display, allowed: impl Into<String>) -> Result<(), KnobError> {
    if holds { Ok(()) } else { Err(KnobError::new(knob, value, allowed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_in_range_and_survives_a_round_trip() {
        let mut config = Config::DEFAULT;
        for knob in KNOBS {
            let value = (knob.get)(&config);
            knob.set(&mut config, &value).unwrap();
            assert_eq!((knob.kind)().parse(&value.to_string()), value, "{}", knob.name);
        }
        assert_eq!(config, Config::DEFAULT);
        config.validate().unwrap();
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let mut names: Vec<_> = KNOBS.iter().flat_map(|k| k.aliases.iter().chain([&k.name])).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
