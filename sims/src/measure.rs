//! Exact measurements of a softmax policy: dynamic programming over the tree, never sampling.

use crate::policy::SoftmaxPolicy;
use crate::task::Task;
use mta_theory::pass_at_k::twice_the_attempts;

/// The k at which pass@k is reported: powers of two up to 1024.
pub const PASS_KS: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// What can be said about the responses below a node, given that everything above was right.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Chance that the response is correct.
    pub success: f64,
    /// E[1_correct log pi] over the tokens from here on, in nats.
    pub success_logprob: f64,
    /// Entropy of the rest of the response, in nats.
    pub entropy: f64,
    /// KL divergence of the rest of the response from the base model, in nats.
    pub kl: f64,
    /// Expected number of tokens from here on, the end token not counted.
    pub length: f64,
    /// The most likely way to go on.
    mode: Mode,
}

/// The most likely continuation: its log-probability, whether all its tokens are right, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mode {
    logprob: f64,
    right: bool,
    enough: bool,
}

impl Summary {
    /// Whether the most likely response is correct.
    pub fn mode_is_correct(&self) -> bool {
        self.mode.right && self.mode.enough
    }

    /// Cov(1_correct, log pi) over responses, in nats: positive where sharpening helps at first.
    pub fn covariance(&self) -> f64 {
        self.success_logprob + self.success * self.entropy
    }

    /// The end of a response of `tokens` tokens, which is right where it is long enough and `listed`.
    fn end(task: &Task, prompt: usize, tokens: usize, listed: bool) -> Self {
        let enough = listed && task.is_enough(prompt, tokens);
        let mode = Mode { logprob: 0.0, right: true, enough };
        Summary { success: f64::from(enough), success_logprob: 0.0, entropy: 0.0, kl: 0.0, length: 0.0, mode }
    }
}

/// Everything about the responses of `policy` to `prompt`.
pub fn summary(policy: &SoftmaxPolicy, task: &Task, prompt: usize) -> Summary {
    let walk = Walk::new(policy, task, prompt);
    walk.at(policy.memory(prompt).root(), 0, 0)
}

struct Walk<'a> {
    policy: &'a SoftmaxPolicy<'a>,
    task: &'a Task,
    prompt: usize,
    /// Summaries below unvisited nodes, by depth; index H is the end.
    unvisited: Vec<Summary>,
}

impl<'a> Walk<'a> {
    fn new(policy: &'a SoftmaxPolicy, task: &'a Task, prompt: usize) -> Self {
        let depth = task.settings.depth;
        let mut walk = Walk { policy, task, prompt, unvisited: vec![Summary::end(task, prompt, depth, true); depth + 1] };
        if task.leaves().is_none() {
            for h in (0..depth).rev() {
                walk.unvisited[h] = walk.combine(None, h, 0);
            }
        }
        walk
    }

    /// The node of a prefix. What lies below unvisited nodes depends on the prefix only where right responses are listed; then all of it is walked.
    fn at(&self, node: Option<usize>, depth: usize, prefix: usize) -> Summary {
        match self.task.leaves() {
            Some(leaves) if depth == self.task.settings.depth => Summary::end(self.task, self.prompt, depth, leaves.contains(prefix)),
            None if node.is_none() => self.unvisited[depth].clone(),
            _ => self.combine(node, depth, prefix),
        }
    }

    /// Weighs what lies below each action by the chance of taking it.
    fn combine(&self, node: Option<usize>, depth: usize, prefix: usize) -> Summary {
        let choice = self.policy.choice(self.prompt, node, depth);
        let visited = self.below(node, depth, prefix, choice.probs.len());
        let (base, right) = (self.policy.base_row(self.prompt, depth), self.task.right_row(self.prompt, depth));
        let mut sum = Sum::default();
        for (v, right) in right.iter().enumerate() {
            let below = visited.get(v).and_then(Option::as_ref).unwrap_or(&self.unvisited[depth + 1]);
            sum.add(choice.probs[v], choice.logprobs[v], base[v], below, *right, 1.0);
        }
        if let Some(end) = choice.probs.get(right.len()) {
            let below = Summary::end(self.task, self.prompt, depth, true);
            sum.add(*end, choice.logprobs[right.len()], base[right.len()], &below, true, 0.0);
        }
        sum.total
    }

    /// Summaries of the remembered children, by token; empty where nothing is remembered below. Where right responses are listed, of all children.
    fn below(&self, node: Option<usize>, depth: usize, prefix: usize, actions: usize) -> Vec<Option<Summary>> {
        let memory = self.policy.memory(self.prompt);
        if let Some(leaves) = self.task.leaves() {
            let child = |v: usize| self.at(node.and_then(|n| memory.child(n, v as u32)), depth + 1, leaves.extend(prefix, v));
            return (0..actions).map(|v| Some(child(v))).collect();
        }
        let mut below = Vec::new();
        if let Some(node) = node.filter(|n| memory.children(*n).next().is_some()) {
            below.resize(actions, None);
            memory.children(node).for_each(|(v, child)| below[v] = Some(self.at(Some(child), depth + 1, 0)));
        }
        below
    }
}

/// Running sums over the actions of a node.
struct Sum {
    total: Summary,
}

impl Default for Sum {
    fn default() -> Self {
        let mode = Mode { logprob: f64::NEG_INFINITY, right: false, enough: false };
        Sum { total: Summary { success: 0.0, success_logprob: 0.0, entropy: 0.0, kl: 0.0, length: 0.0, mode } }
    }
}

impl Sum {
    /// Adds an action of probability `p`, with what lies `below` it; `length` is 1 for a token and 0 for the end.
    fn add(&mut self, p: f64, logprob: f64, ref_logprob: f64, below: &Summary, right: bool, length: f64) {
        let total = &mut self.total;
        // what is no number counts, so that a policy that is none is not told as one that never succeeds
        if p != 0.0 {
            let share = if right { p } else { 0.0 };
            total.success += share * below.success;
            total.success_logprob += share * (logprob * below.success + below.success_logprob);
            total.entropy += p * (below.entropy - logprob);
            total.kl += p * (below.kl + logprob - ref_logprob);
            total.length += p * (below.length + length);
        }
        if logprob + below.mode.logprob > total.mode.logprob {
            total.mode = Mode { logprob: logprob + below.mode.logprob, right: right && below.mode.right, enough: below.mode.enough };
        }
    }
}

/// Means over a set of prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// pass@k at [`PASS_KS`].
    pub pass_at: Vec<f64>,
    /// Share of prompts whose most likely response is correct (maj@infinity).
    pub mode_accuracy: f64,
    /// Mean Cov(1_correct, log pi), in nats.
    pub covariance: f64,
    /// Mean entropy of a response, in nats.
    pub entropy: f64,
    /// Mean KL divergence of responses from the base model, in nats.
    pub kl: f64,
    /// Mean number of tokens.
    pub mean_length: f64,
}

impl Measured {
    /// The same, or, where the divergence is no number, none at all: logits have left the range of numbers, and there is no policy.
    pub(crate) fn or_none(self) -> Self {
        if self.kl.is_finite() {
            return self;
        }
        let nan = f64::NAN;
        Measured { pass_at: vec![nan; PASS_KS.len()], mode_accuracy: nan, covariance: nan, entropy: nan, kl: nan, mean_length: nan }
    }
}

/// Measures `policy` on `prompts`.
pub fn measure(policy: &SoftmaxPolicy, task: &Task, prompts: std::ops::Range<usize>) -> Measured {
    let all: Vec<Summary> = prompts.map(|x| summary(policy, task, x)).collect();
    let mean = |f: &dyn Fn(&Summary) -> f64| all.iter().map(f).sum::<f64>() / all.len() as f64;
    let measured = Measured {
        pass_at: mean_pass_at(&all),
        mode_accuracy: mean(&|s| f64::from(s.mode_is_correct())),
        covariance: mean(&Summary::covariance),
        entropy: mean(&|s| s.entropy),
        kl: mean(&|s| s.kl),
        mean_length: mean(&|s| s.length),
    };
    measured.or_none()
}

/// Mean pass@k at [`PASS_KS`].
fn mean_pass_at(all: &[Summary]) -> Vec<f64> {
    let mut sums = vec![0.0; PASS_KS.len()];
    for summary in all {
        let mut pass = summary.success;
        for sum in &mut sums {
            *sum += pass;
            pass = twice_the_attempts(pass);
        }
    }
    sums.iter().map(|sum| sum / all.len() as f64).collect()
}
