//! What one prompt remembers: private logits on the nodes an update has visited, as a tree that grows.

/// A tree of private logits; node 0 is the root.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    logits: Box<[f64]>,
    children: Vec<(u32, u32)>,
}

impl Memory {
    /// The root, once anything is remembered.
    pub fn root(&self) -> Option<usize> {
        (!self.nodes.is_empty()).then_some(0)
    }

    /// The node below `node` by `token`, if it was ever updated or passed.
    pub fn child(&self, node: usize, token: u32) -> Option<usize> {
        self.nodes[node].children.iter().find(|(t, _)| *t == token).map(|(_, n)| *n as usize)
    }

    /// Private logits of `node`; shorter than the number of actions where it was only passed.
    pub fn logits(&self, node: usize) -> &[f64] {
        &self.nodes[node].logits
    }

    /// Tokens remembered below `node`, with their nodes.
    pub fn children(&self, node: usize) -> impl Iterator<Item = (usize, usize)> {
        self.nodes[node].children.iter().map(|(t, n)| (*t as usize, *n as usize))
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds `scale * slope` to the logits at the end of `path`, growing the path where needed.
    pub fn add(&mut self, path: &[u32], slope: &[f64], scale: f64) {
        let node = self.grow(path);
        let logits = &mut self.nodes[node].logits;
        if logits.is_empty() {
            *logits = vec![0.0; slope.len()].into();
        }
        logits.iter_mut().zip(slope).for_each(|(u, g)| *u += scale * g);
    }

    fn grow(&mut self, path: &[u32]) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Node { logits: Box::default(), children: Vec::new() });
        }
        path.iter().fold(0, |node, &token| self.child(node, token).unwrap_or_else(|| self.bear(node, token)))
    }

    fn bear(&mut self, node: usize, token: u32) -> usize {
        let new = self.nodes.len();
        self.nodes.push(Node { logits: Box::default(), children: Vec::new() });
        self.nodes[node].children.push((token, new as u32));
        new
    }
}
