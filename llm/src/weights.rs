//! The numbers of a model: one candle variable per parameter.

use crate::architecture::Architecture;
use crate::error::Result;
use crate::lora::Adapter;
use candle_core::{DType, Device, Tensor, Var};
use mta_sims::stream::{Purpose, Seed};
use rand_distr::{Distribution, Normal};
use std::collections::HashMap;

/// All parameters, in the order of [`Architecture::parameters`]; with an adapter, frozen ones.
#[derive(Clone, Debug)]
pub struct Weights {
    names: Vec<String>,
    vars: Vec<Var>,
    /// What computations see: the variables, or the same numbers without a gradient.
    seen: Vec<Tensor>,
    place: HashMap<String, usize>,
    adapter: Option<Box<Adapter>>,
}

/// Standard deviation of fresh matrices, as in the three families.
const SPREAD: f64 = 0.02;

impl Weights {
    /// Fresh parameters: matrices normal with standard deviation .02, norms one, biases zero. The same for every device and dtype, up to rounding.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(architecture: &Architecture, seed: Seed, dtype: DType, device: &Device) -> Result<Self> {
        let law = Normal::new(0.0, SPREAD).expect("the spread is finite");
        let mut named = Vec::new();
        for (slot, parameter) in architecture.parameters().into_iter().enumerate() {
            let size: usize = parameter.shape.iter().product();
            let fresh: Vec<f32> = match parameter.name.rsplit('.').next() {
                Some("bias") => vec![0.0; size],
                _ if parameter.shape.len() == 1 => vec![1.0; size],
                _ => law.sample_iter(seed.stream(Purpose::Weights, 0, slot)).take(size).map(|x| x as f32).collect(),
            };
            named.push((parameter.name, Tensor::from_vec(fresh, parameter.shape, device)?.to_dtype(dtype)?));
        }
        Weights::of(named)
    }

    /// Variables of the values of named tensors, in the order of [`Architecture::parameters`].
    ///
    /// # Errors
    /// When the device has no room.
    pub fn of(named: Vec<(String, Tensor)>) -> Result<Self> {
        let place = named.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        // Of a variable, candle would hand back the same variable.
        let own = |(name, tensor): (String, Tensor)| Ok((name, Var::from_tensor(&tensor.detach())?));
        let (names, vars) = named.into_iter().map(own).collect::<Result<(Vec<String>, Vec<Var>)>>()?;
        let seen = vars.iter().map(|v| v.as_tensor().clone()).collect();
        Ok(Weights { names, vars, seen, place, adapter: None })
    }

    /// The same variables, frozen, with `adapter` beside them.
    pub fn adapted(mut self, adapter: Adapter) -> Self {
        self.seen = self.vars.iter().map(|v| v.as_tensor().detach()).collect();
        self.adapter = Some(Box::new(adapter));
        self
    }

    /// The adapter, if any. Only the composite form computes with one.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_deref()
    }

    /// What training changes: the adapter's variables where there is one, or these.
    pub fn trainable(&self) -> &Weights {
        self.adapter().map_or(self, Adapter::weights)
    }

    /// The parameter of this name, as computations see it.
    ///
    /// # Panics
    /// When the architecture has none of that name.
    pub fn get(&self, name: &str) -> &Tensor {
        let place = self.place.get(name).unwrap_or_else(|| panic!("no parameter is called {name}"));
        &self.seen[*place]
    }

    /// The parameter of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.place.get(name).map(|i| &self.seen[*i])
    }

    /// Names and variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.names.iter().map(String::as_str).zip(&self.vars)
    }

    /// The variables, in order.
    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// Independent variables of the same values, the adapter's included.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn copy(&self) -> Result<Self> {
        let plain = Weights::of(self.iter().map(|(name, var)| (name.to_string(), var.as_tensor().clone())).collect())?;
        Ok(match self.adapter() {
            Some(adapter) => plain.adapted(adapter.copy()?),
            None => plain,
        })
    }

    /// Type of the numbers.
    pub fn dtype(&self) -> DType {
        self.vars[0].dtype()
    }

    /// Where they live.
    pub fn device(&self) -> &Device {
        self.vars[0].device()
    }
}
