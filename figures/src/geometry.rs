//! Plane geometry in points: clipping to a frame, dashes, outlines of markers.

use std::f64::consts::TAU;

use crate::style::Marker;

/// x to the right, y downwards, in points.
pub(crate) type Spot = (f64, f64);

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// A straight border: its distance function is not negative inside.
type Border = Box<dyn Fn(Spot) -> f64>;

impl Frame {
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The spot at shares of the width from the left and of the height from the bottom.
    pub(crate) fn spot(&self, across: f64, up: f64) -> Spot {
        (self.left + across * self.width, self.bottom() - up * self.height)
    }

    /// The four borders, a hair outside so that what lies on one is kept.
    fn borders(self) -> [Border; 4] {
        let hair = 0.01;
        [
            Box::new(move |p| p.0 - self.left + hair),
            Box::new(move |p| self.right() - p.0 + hair),
            Box::new(move |p| p.1 - self.top + hair),
            Box::new(move |p| self.bottom() - p.1 + hair),
        ]
    }

    fn holds(self, p: Spot) -> bool {
        self.borders().iter().all(|d| d(p) >= 0.0)
    }
}

fn between(p: Spot, q: Spot, share: f64) -> Spot {
    (p.0 + share * (q.0 - p.0), p.1 + share * (q.1 - p.1))
}

/// The part of a polygon inside a frame.
pub(crate) fn clip_polygon(polygon: Vec<Spot>, frame: Frame) -> Vec<Spot> {
    frame.borders().iter().fold(polygon, |polygon, distance| clip_side(&polygon, distance))
}

fn clip_side(polygon: &[Spot], distance: &Border) -> Vec<Spot> {
    let next = polygon.iter().cycle().skip(1);
    let edge = |(&p, &q): (&Spot, &Spot)| {
        let (dp, dq) = (distance(p), distance(q));
        let crossing = ((dp < 0.0) != (dq < 0.0)).then(|| between(p, q, dp / (dp - dq)));
        [(dp >= 0.0).then_some(p), crossing]
    };
    polygon.iter().zip(next).flat_map(edge).flatten().collect()
}

/// The pieces of a broken line inside a frame.
pub(crate) fn clip_line(line: &[Spot], frame: Frame) -> Vec<Vec<Spot>> {
    let mut pieces: Vec<Vec<Spot>> = Vec::new();
    for w in line.windows(2) {
        let Some((p, q)) = clip_segment(w[0], w[1], frame) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&p) => piece.push(q),
            _ => pieces.push(vec![p, q]),
        }
    }
    pieces
}

fn clip_segment(p: Spot, q: Spot, frame: Frame) -> Option<(Spot, Spot)> {
    let (mut enter, mut leave) = (0f64, 1f64);
    for distance in frame.borders() {
        let (dp, dq) = (distance(p), distance(q));
        match (dp < 0.0, dq < 0.0) {
            (true, true) => return None,
            (true, false) => enter = enter.max(dp / (dp - dq)),
            (false, true) => leave = leave.min(dp / (dp - dq)),
            (false, false) => {}
        }
    }
    let end = |share: f64| if share == 1.0 { q } else { between(p, q, share) };
    (enter < leave).then(|| (end(enter), end(leave)))
}

/// Whether a spot lies in the frame.
pub(crate) fn inside(p: Spot, frame: Frame) -> bool {
    frame.holds(p)
}

/// The strokes of a broken line under a pattern of pen down, pen up lengths.
pub(crate) fn dashes(line: &[Spot], pattern: &[f64]) -> Vec<Vec<Spot>> {
    if pattern.iter().sum::<f64>() <= 0.0 {
        return vec![line.to_vec()];
    }
    let mut pen = Pen { pattern, phase: 0, left: pattern[0], strokes: Vec::new() };
    for w in line.windows(2) {
        pen.walk(w[0], w[1]);
    }
    pen.strokes
}

struct Pen<'a> {
    pattern: &'a [f64],
    phase: usize,
    left: f64,
    strokes: Vec<Vec<Spot>>,
}

impl Pen<'_> {
    fn walk(&mut self, mut p: Spot, q: Spot) {
        loop {
            let rest = (q.0 - p.0).hypot(q.1 - p.1);
            let step = self.left.min(rest);
            let stop = if step < rest { between(p, q, step / rest) } else { q };
            self.mark(p, stop);
            self.left -= step;
            if step >= rest {
                return;
            }
            self.phase = (self.phase + 1) % self.pattern.len();
            self.left = self.pattern[self.phase];
            p = stop;
        }
    }

    fn mark(&mut self, p: Spot, q: Spot) {
        match self.strokes.last_mut() {
            _ if self.phase % 2 == 1 || p == q => {}
            Some(stroke) if stroke.last() == Some(&p) => stroke.push(q),
            _ => self.strokes.push(vec![p, q]),
        }
    }
}

/// Outline of a marker with a radius of about one around the origin.
pub(crate) fn outline(marker: Marker) -> Vec<Spot> {
    match marker {
        Marker::Circle => ring(24, 0.0, |_| 1.0),
        Marker::Square => ring(4, 0.125, |_| 1.25),
        Marker::Diamond => ring(4, 0.0, |_| 1.35),
        Marker::Up => ring(3, 0.0, |_| 1.35),
        Marker::Down => ring(3, 0.5, |_| 1.35),
        Marker::Star => ring(10, 0.0, |i| if i % 2 == 0 { 1.5 } else { 0.65 }),
        Marker::Plus => arms(0.0),
        Marker::Cross => arms(0.125),
    }
}

/// `n` corners around a circle from the top, turned by a share of a full turn.
fn ring(n: usize, turn: f64, radius: impl Fn(usize) -> f64) -> Vec<Spot> {
    let corner = |i| {
        let angle = TAU * (i as f64 / n as f64 + turn);
        (radius(i) * angle.sin(), -radius(i) * angle.cos())
    };
    (0..n).map(corner).collect()
}

/// A plus of four thick arms, turned by a share of a full turn.
fn arms(turn: f64) -> Vec<Spot> {
    let (half, long) = (0.36, 1.4);
    let arm = [(-half, -long), (half, -long), (half, -half)];
    let rotated = |quarter: usize| {
        let (sin, cos) = (TAU * (quarter as f64 / 4.0 + turn)).sin_cos();
        arm.map(|(x, y)| (x * cos - y * sin, x * sin + y * cos))
    };
    (0..4).flat_map(rotated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { left: 0.0, top: 0.0, width: 10.0, height: 10.0 };

    #[test]
    fn a_line_through_the_frame_is_cut_at_both_borders() {
        let pieces = clip_line(&[(5.0, -10.0), (5.0, 20.0), (6.0, 20.0), (6.0, 5.0)], FRAME);
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().flatten().all(|p| p.1 > -0.1 && p.1 < 10.1), "{pieces:?}");
    }

    #[test]
    fn a_polygon_is_cut_and_one_outside_vanishes() {
        let cut = clip_polygon(vec![(2.0, 2.0), (8.0, 2.0), (5.0, 30.0)], FRAME);
        assert!(cut.len() >= 4 && cut.iter().all(|p| p.1 < 10.1), "{cut:?}");
        assert!(clip_polygon(vec![(20.0, 2.0), (30.0, 2.0), (25.0, 30.0)], FRAME).is_empty());
    }

    #[test]
    fn dashes_carry_over_corners() {
        let strokes = dashes(&[(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)], &[2.0, 2.0]);
        assert_eq!(strokes, [vec![(0.0, 0.0), (2.0, 0.0)], vec![(3.0, 1.0), (3.0, 3.0)]]);
    }
}
