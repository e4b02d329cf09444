//! The order in which go-yaml writes the keys of a mapping.

use std::cmp::Ordering;

use super::Edition;

/// The order of two keys: letters after what is no letter, digits as numbers. After digits v3 puts letters first.
pub(super) fn natural(left: &str, right: &str, edition: Edition) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut digits = false;
    for index in 0..a.len().min(b.len()) {
        if a[index] == b[index] {
            digits = edition == Edition::V3 && a[index].is_numeric();
            continue;
        }
        let (left_letter, right_letter) = (a[index].is_alphabetic(), b[index].is_alphabetic());
        if left_letter && right_letter {
            return a[index].cmp(&b[index]);
        }
        if left_letter || right_letter {
            return if digits == left_letter { Ordering::Less } else { Ordering::Greater };
        }
        return numbers(&a, &b, index);
    }
    a.len().cmp(&b.len())
}

fn numbers(a: &[char], b: &[char], index: usize) -> Ordering {
    let is_zero = a[index] == '0' || b[index] == '0';
    let after_digits =
        a[..index].iter().rev().take_while(|digit| digit.is_numeric()).any(|digit| *digit != '0');
    let first = u64::from(is_zero && after_digits);
    let run = |characters: &[char]| {
        let digits = characters[index..].iter().take_while(|character| character.is_numeric());
        digits.fold((first, 0_usize), |(number, length), digit| {
            let digit = u64::from(digit.to_digit(10).unwrap_or(0));
            (number.saturating_mul(10).saturating_add(digit), length + 1)
        })
    };
    run(a).cmp(&run(b)).then(a[index].cmp(&b[index]))
}
