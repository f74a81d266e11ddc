//! The policy: what the training loop needs of one, and the softmax table with shared skill and private memory.

use crate::config::Geometry;
use crate::memory::Memory;
use crate::prior::Prior;
use crate::rollout::Token;
use crate::stream::Stream;
use crate::task::Task;
use ndarray::Array2;
use std::collections::HashMap;

/// A model that can be sampled, scored and pushed. The loop in [`crate::run`] drives any of them, a table as well as a transformer.
pub trait Policy {
    /// `count` responses to each prompt. Rollout `i` reads only its own words of the prompt's stream, so its tokens do not depend on `count`, nor on the
    /// other prompts.
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>>;

    /// The response of always taking the most likely token, for each prompt.
    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>>;

    /// Every response to `prompt`, once. Asked for in exact mode only.
    fn enumerate(&self, prompt: usize) -> Vec<Vec<Token>>;

    /// The tokens of each response with log-probability and entropy under the policy as it is now.
    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>>;

    /// Moves along the gradient of `sum over nudges and tokens of (push log pi + entropy_push H)`.
    fn ascend(&mut self, nudges: &[Nudge], step: &Step);
}

/// One rollout's part in an update.
#[derive(Clone, Debug)]
pub struct Nudge<'a> {
    /// The prompt.
    pub prompt: usize,
    /// The rollout's tokens.
    pub tokens: &'a [Token],
    /// Coefficient of each token's log pi.
    pub push: Vec<f64>,
    /// Coefficient of the entropy at each token.
    pub entropy_push: Vec<f64>,
}

/// How far and in which geometry an update goes.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Step size eta.
    pub learning_rate: f64,
    /// Prompts in a rollout batch: nudges are means over the batch, while a prompt's own memory takes its whole gradient.
    pub batch: f64,
    /// Gradient in the logits, or natural gradient.
    pub geometry: Geometry,
}

/// A softmax at every node of the token tree.
///
/// ```text
/// logits[x, node, v] = l0[x, h, v] + W[h, v] + U[x, node, v]
/// ```
/// `W` is shared by all prompts (skill), `U` belongs to a prompt and a node (memory). A gradient g of one prompt moves W by `eta rho mean_x g` and its own
/// U by `eta (1 - rho) g`. Memory exists only where an update has been, so V^H may be far larger than any machine.
#[derive(Clone, Debug)]
pub struct SoftmaxPolicy<'w> {
    task: &'w Task,
    base: &'w Prior,
    sharing: f64,
    skill: Array2<f64>,
    memory: Vec<Memory>,
}

/// The choice at one node.
#[derive(Clone, Debug)]
pub struct Choice {
    /// log pi of each action.
    pub logprobs: Vec<f64>,
    /// pi of each action.
    pub probs: Vec<f64>,
}

impl Choice {
    fn of(mut logits: Vec<f64>) -> Self {
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut probs: Vec<f64> = logits.iter().map(|l| (l - top).exp()).collect();
        let sum: f64 = probs.iter().sum();
        let log_sum = top + sum.ln();
        probs.iter_mut().for_each(|p| *p /= sum);
        logits.iter_mut().for_each(|l| *l -= log_sum);
        Choice { logprobs: logits, probs }
    }

    /// Entropy, in nats.
    pub fn entropy(&self) -> f64 {
        -self.probs.iter().zip(&self.logprobs).map(|(p, l)| if *p > 0.0 { p * l } else { 0.0 }).sum::<f64>()
    }

    /// Mean of -log pi over actions, in nats.
    fn certainty(&self) -> f64 {
        -self.logprobs.iter().sum::<f64>() / self.logprobs.len() as f64
    }

    /// The first action whose cumulative probability exceeds `u`.
    fn pick(&self, u: f64) -> usize {
        let mut cumulative = 0.0;
        let found = self.probs.iter().position(|p| {
            cumulative += p;
            u < cumulative
        });
        found.unwrap_or_else(|| self.most_likely())
    }

    /// The action of largest probability; of equals, the first.
    pub fn most_likely(&self) -> usize {
        let top = self.logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.logprobs.iter().position(|l| *l == top).unwrap_or(0)
    }
}

impl<'w> SoftmaxPolicy<'w> {
    /// The base model itself, with nothing learned.
    pub fn new(task: &'w Task, base: &'w Prior, sharing: f64) -> Self {
        let skill = Array2::zeros((task.settings.depth, task.settings.widest()));
        let memory = vec![Memory::default(); task.settings.all_prompts()];
        SoftmaxPolicy { task, base, sharing, skill, memory }
    }

    /// What all prompts share: `W[h, v]`, in nats, the end token last; zero for the base model.
    pub fn skill(&self) -> &Array2<f64> {
        &self.skill
    }

    /// The choice of the first token of a response to `prompt`: all of it, in a bandit.
    pub fn first(&self, prompt: usize) -> Choice {
        self.choice(prompt, self.memory[prompt].root(), 0)
    }

    /// What `prompt` remembers.
    pub(crate) fn memory(&self, prompt: usize) -> &Memory {
        &self.memory[prompt]
    }

    /// The choice at a node of depth `depth`: `node` in the prompt's memory, or `None` where nothing is remembered.
    pub(crate) fn choice(&self, prompt: usize, node: Option<usize>, depth: usize) -> Choice {
        let actions = self.task.settings.actions(depth);
        let (base, skill) = (self.base.row(prompt, depth), self.skill.row(depth));
        let mut logits: Vec<f64> = base[..actions].iter().zip(skill).map(|(l, w)| l + w).collect();
        if let Some(node) = node {
            logits.iter_mut().zip(self.memory[prompt].logits(node)).for_each(|(l, u)| *l += u);
        }
        Choice::of(logits)
    }

    /// Base log-probabilities at a depth, `[A]`.
    pub(crate) fn base_row(&self, prompt: usize, depth: usize) -> &[f64] {
        self.base.row(prompt, depth)
    }

    /// Whether a path ends after taking `v` at `depth`.
    fn ends(&self, depth: usize, v: usize) -> bool {
        v == self.task.settings.vocab || depth + 1 == self.task.settings.depth
    }

    fn token(&self, prompt: usize, depth: usize, v: usize, choice: &Choice, entropy: f64, certainty: f64) -> Token {
        let (logprob, ref_logprob) = (choice.logprobs[v], self.base_row(prompt, depth)[v]);
        Token { id: v as u32, logprob, ref_logprob, entropy, certainty }
    }

    /// Extends every path of `paths` that stands at this node, by the action `pick` chooses for it, and goes on below.
    fn descend(&self, at: Node, members: &[usize], paths: &mut [Vec<Token>], pick: &dyn Fn(usize, usize, &Choice) -> usize) {
        let choice = self.choice(at.prompt, at.memory, at.depth);
        let (entropy, certainty) = (choice.entropy(), choice.certainty());
        let mut below: Vec<(usize, Vec<usize>)> = Vec::new();
        for &i in members {
            let v = pick(i, at.depth, &choice);
            paths[i].push(self.token(at.prompt, at.depth, v, &choice, entropy, certainty));
            match below.iter_mut().find(|(token, _)| *token == v) {
                _ if self.ends(at.depth, v) => {}
                Some((_, same)) => same.push(i),
                None => below.push((v, vec![i])),
            }
        }
        for (v, same) in below {
            self.descend(self.child(at, v), &same, paths, pick);
        }
    }

    /// `count` responses to `prompt`, all at once.
    fn responses(&self, prompt: usize, count: usize, words: &Stream) -> Vec<Vec<Token>> {
        let depth = self.task.settings.depth;
        let mut paths = vec![Vec::with_capacity(depth); count];
        let members: Vec<usize> = (0..count).collect();
        self.descend(self.root(prompt), &members, &mut paths, &|i, h, choice| choice.pick(words.uniform((i * depth + h) as u64)));
        paths
    }

    /// The response of always taking the most likely token.
    fn mode(&self, prompt: usize) -> Vec<Token> {
        let mut paths = vec![Vec::new()];
        self.descend(self.root(prompt), &[0], &mut paths, &|_, _, choice| choice.most_likely());
        paths.swap_remove(0)
    }

    fn score(&self, prompt: usize, tokens: &[Token]) -> Vec<Token> {
        let mut at = self.root(prompt);
        let mut score = |old: &Token| {
            let choice = self.choice(prompt, at.memory, at.depth);
            let new = Token { logprob: choice.logprobs[old.id as usize], entropy: choice.entropy(), ..*old };
            at = self.child(at, old.id as usize);
            new
        };
        tokens.iter().map(&mut score).collect()
    }

    fn root(&self, prompt: usize) -> Node {
        Node { prompt, memory: self.memory[prompt].root(), depth: 0 }
    }

    fn child(&self, at: Node, v: usize) -> Node {
        let memory = at.memory.and_then(|node| self.memory[at.prompt].child(node, v as u32));
        Node { prompt: at.prompt, memory, depth: at.depth + 1 }
    }

    fn enumerate_below(&self, at: Node, path: &mut Vec<Token>, all: &mut Vec<Vec<Token>>) {
        let choice = self.choice(at.prompt, at.memory, at.depth);
        let (entropy, certainty) = (choice.entropy(), choice.certainty());
        for v in 0..choice.probs.len() {
            path.push(self.token(at.prompt, at.depth, v, &choice, entropy, certainty));
            if self.ends(at.depth, v) {
                all.push(path.clone());
            } else {
                self.enumerate_below(self.child(at, v), path, all);
            }
            path.pop();
        }
    }

    /// Sums the nudges into one gradient per node, in order of first visit.
    fn gradients(&self, nudges: &[Nudge], geometry: Geometry) -> Vec<Gradient> {
        let mut place: HashMap<(usize, u128), usize> = HashMap::new();
        let mut sums: Vec<Gradient> = Vec::new();
        for nudge in nudges {
            let (mut at, mut code, mut reach) = (self.root(nudge.prompt), 0, 0.0f64);
            for (t, token) in nudge.tokens.iter().enumerate() {
                let i = *place.entry((nudge.prompt, code)).or_insert_with(|| {
                    sums.push(Gradient::new(at, nudge.tokens[..t].iter().map(|t| t.id).collect(), self.task.settings.actions(t), geometry));
                    sums.len() - 1
                });
                let (before, after) = ((-reach).exp(), (-reach - token.logprob).exp());
                reach += token.logprob;
                let (push, entropy_push) = (nudge.push[t], nudge.entropy_push[t]);
                match geometry {
                    Geometry::Euclidean => sums[i].add(token.id as usize, push, entropy_push),
                    Geometry::Natural => sums[i].add_natural(token.id as usize, push * after, entropy_push * before),
                }
                (at, code) = (self.child(at, token.id as usize), self.task.extend(code, token.id));
            }
        }
        sums
    }
}

/// A node of a prompt's tree.
#[derive(Clone, Copy, Debug)]
struct Node {
    prompt: usize,
    memory: Option<usize>,
    depth: usize,
}

/// The gradient at one node: pushes on single actions, their sum, and the entropy coefficient.
struct Gradient {
    at: Node,
    path: Vec<u32>,
    push: Vec<f64>,
    total: f64,
    entropy_push: f64,
    geometry: Geometry,
}

impl Gradient {
    fn new(at: Node, path: Vec<u32>, actions: usize, geometry: Geometry) -> Self {
        Gradient { at, path, push: vec![0.0; actions], total: 0.0, entropy_push: 0.0, geometry }
    }

    /// Adds a token's push.
    fn add(&mut self, v: usize, push: f64, entropy_push: f64) {
        self.push[v] += push;
        self.total += push;
        self.entropy_push += entropy_push;
    }

    /// Adds a token's push over the probability of the path up to and with the token, and its entropy push over that of the path before it: divided by how
    /// often they are made, the sums of weight times advantage become Q - V at the node, and the entropy coefficient itself.
    fn add_natural(&mut self, v: usize, push: f64, entropy_push: f64) {
        self.push[v] += push;
        self.entropy_push += entropy_push;
    }

    /// With respect to the logits: `sum push (e_v - pi) + entropy_push dH`, with `dH_v = -pi_v (log pi_v + H)`; the natural gradient is without the `pi_v`.
    fn in_logits(self, choice: &Choice) -> Vec<f64> {
        let entropy = if self.entropy_push == 0.0 { 0.0 } else { choice.entropy() };
        let share = |p: f64| if self.geometry == Geometry::Natural { 1.0 } else { p };
        let slope = |p: f64, l: f64| if p > 0.0 { self.total * p + self.entropy_push * share(p) * (l + entropy) } else { 0.0 };
        self.push.iter().zip(choice.probs.iter().zip(&choice.logprobs)).map(|(push, (p, l))| push - slope(*p, *l)).collect()
    }
}

impl Policy for SoftmaxPolicy<'_> {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        prompts.iter().map(|(prompt, words)| self.responses(*prompt, count, words)).collect()
    }

    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>> {
        prompts.iter().map(|prompt| self.mode(*prompt)).collect()
    }

    fn enumerate(&self, prompt: usize) -> Vec<Vec<Token>> {
        let mut all = Vec::new();
        self.enumerate_below(self.root(prompt), &mut Vec::new(), &mut all);
        all
    }

    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>> {
        responses.iter().map(|(prompt, tokens)| self.score(*prompt, tokens)).collect()
    }

    fn ascend(&mut self, nudges: &[Nudge], step: &Step) {
        let gradients = self.gradients(nudges, step.geometry);
        let choices: Vec<Choice> = gradients.iter().map(|g| self.choice(g.at.prompt, g.at.memory, g.at.depth)).collect();
        for (gradient, choice) in gradients.into_iter().zip(choices) {
            let (at, path) = (gradient.at, gradient.path.clone());
            let slope = gradient.in_logits(&choice);
            let shared = step.learning_rate * self.sharing;
            self.skill.row_mut(at.depth).iter_mut().zip(&slope).for_each(|(w, g)| *w += shared * g);
            let private = step.learning_rate * (1.0 - self.sharing) * step.batch;
            if private > 0.0 && slope.iter().any(|g| *g != 0.0) {
                self.memory[at.prompt].add(&path, &slope, private);
            }
        }
    }
}
