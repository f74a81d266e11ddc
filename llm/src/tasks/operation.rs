//! Operators defined in the question, as in KOR-Bench's Operation category.

use super::{Digits, Family, Item, exact, fields};
use mta_sims::registry::Entry;

/// `level` applications of an operator the question defines.
pub(super) static OPERATION: Family = Family {
    entry: Entry {
        name: "operation",
        aliases: &["custom_operation"],
        doc: "An operator defined in the question, applied from left to right; a level more is an application more.",
        formula: "questions: 4 signs * 6 forms * 9 * 9 * 10 parameters * 9^(level+1) numbers from 1 to 9",
        source: "the Operation category of KOR-Bench, arXiv 2410.06526: own definitions after its rules 1, 2, 6 and 7",
        elsewhere: &[("KOR-Bench", "Operation")],
    },
    levels: 6,
    questions,
    item,
    score: exact,
};

const SIGNS: [char; 4] = ['#', '@', '&', '~'];

/// How an operator is defined, with parameters p, q from 1 to 9 and r from 0 to 9. Values of numbers that are not negative are not negative.
#[derive(Clone, Copy)]
enum Form {
    Linear,
    Bilinear,
    Larger,
    Smaller,
    Distance,
    Multiples,
}

const FORMS: [Form; 6] = [Form::Linear, Form::Bilinear, Form::Larger, Form::Smaller, Form::Distance, Form::Multiples];

impl Form {
    fn text(self, [p, q, r]: [i128; 3]) -> String {
        match self {
            Form::Linear => format!("= {p} * a + {q} * b + {r}"),
            Form::Bilinear => format!("= a * b + {p} * a + {q} * b + {r}"),
            Form::Larger => format!("is {r} more than the larger of {p} * a and {q} * b"),
            Form::Smaller => format!("is {r} more than the smaller of {p} * a and {q} * b"),
            Form::Distance => format!("is {r} more than the distance between {p} * a and {q} * b"),
            Form::Multiples => format!("= a / b + {p} if a is a multiple of b, else b / a + {q} if b is a multiple of a, else {r}"),
        }
    }

    /// The value for a >= 0 and b >= 1.
    fn value(self, [p, q, r]: [i128; 3], a: i128, b: i128) -> i128 {
        match self {
            Form::Linear => p * a + q * b + r,
            Form::Bilinear => a * b + p * a + q * b + r,
            Form::Larger => (p * a).max(q * b) + r,
            Form::Smaller => (p * a).min(q * b) + r,
            Form::Distance => (p * a - q * b).abs() + r,
            Form::Multiples if a % b == 0 => a / b + p,
            Form::Multiples if b % a == 0 => b / a + q,
            Form::Multiples => r,
        }
    }
}

fn questions(level: u32) -> u128 {
    SIGNS.len() as u128 * FORMS.len() as u128 * 9 * 9 * 10 * 9u128.pow(level + 1)
}

fn item(level: u32, number: u128) -> Item {
    let mut digits = Digits(number);
    let (sign, form) = (digits.choose(&SIGNS), digits.choose(&FORMS));
    let parameters = [digits.within(1, 9), digits.within(1, 9), digits.within(0, 9)];
    let numbers: Vec<i128> = (0..=level).map(|_| digits.within(1, 9)).collect();
    let rule = format!("a {sign} b {}", form.text(parameters));
    let chain = numbers.iter().map(i128::to_string).collect::<Vec<_>>().join(&format!(" {sign} "));
    let value = numbers[1..].iter().fold(numbers[0], |a, b| form.value(parameters, a, *b));
    Item {
        question: format!("Define: {rule}. Compute {chain} from left to right."),
        answer: value.to_string(),
        difficulty: fields([("num_operations", level.into())]),
        details: fields([("rule", rule.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_give_what_they_say() {
        let value = |form: Form, a, b| form.value([2, 3, 4], a, b);
        assert_eq!(value(Form::Linear, 5, 7), 35);
        assert_eq!(value(Form::Bilinear, 5, 7), 70);
        assert_eq!(value(Form::Larger, 5, 7), 25);
        assert_eq!(value(Form::Smaller, 5, 7), 14);
        assert_eq!(value(Form::Distance, 5, 7), 15);
        assert_eq!([(6, 3), (3, 6), (5, 7), (0, 5)].map(|(a, b)| value(Form::Multiples, a, b)), [4, 5, 4, 2]);
    }
}
