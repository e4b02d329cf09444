//! The five fields of a cron expression and the values that they allow.

use std::fmt;

use super::Older;
use super::problem::Problem;

/// The five places of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// 0–59.
    Minute,
    /// 0–23.
    Hour,
    /// 1–31.
    DayOfMonth,
    /// 1–12 or `jan`–`dec`.
    Month,
    /// 0–7 or `sun`–`sat`; Sunday is 0 and 7.
    DayOfWeek,
}

impl Field {
    pub(super) const ALL: [Self; 5] =
        [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// Its place in an expression, from 0.
    pub const fn position(self) -> usize {
        match self {
            Self::Minute => 0,
            Self::Hour => 1,
            Self::DayOfMonth => 2,
            Self::Month => 3,
            Self::DayOfWeek => 4,
        }
    }

    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// Names of the values, the first standing for the lowest value.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => {
                &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            }
            Self::DayOfWeek => &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// The allowed values of a field, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    bits: u64,
    /// Written as `*` or `?` without a step above one.
    pub(super) star: bool,
    /// How readers before Velero 1.18.3 understand it, where that differs.
    pub(super) older: Option<Older>,
}

impl Values {
    pub(super) fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits & (1 << value) != 0)
    }

    /// Whether nothing satisfies it: `,`.
    pub(super) const fn is_empty(self) -> bool {
        self.bits == 0
    }

    pub(super) const fn one(value: u64) -> Self {
        Self { bits: 1 << value, star: false, older: None }
    }

    pub(super) fn all(field: Field) -> Self {
        let (minimum, maximum) = field.bounds();
        let bits = (minimum..=maximum).fold(0, |bits, value| bits | 1 << value);
        Self { bits, star: true, older: None }.with_sunday_as_zero(field)
    }

    pub(super) fn read(text: &str, field: Field) -> Result<Self, Problem> {
        let upper = text.to_uppercase();
        match field {
            Field::DayOfMonth if upper.contains(['L', 'W']) => return Err(Problem::ExtendedDay),
            Field::DayOfWeek if text.contains('#') => return Err(Problem::NthWeekday),
            Field::Minute | Field::Hour | Field::DayOfMonth | Field::Month | Field::DayOfWeek => {}
        }
        let mut values = Self { bits: 0, star: false, older: None };
        for entry in text.split(',').filter(|entry| !entry.is_empty()) {
            let one = Self::read_entry(entry, field)?;
            values = Self {
                bits: values.bits | one.bits,
                star: values.star || one.star,
                older: values.older.or(one.older),
            };
        }
        Ok(values.with_sunday_as_zero(field))
    }

    /// Sunday as 7 is Sunday.
    const fn with_sunday_as_zero(self, field: Field) -> Self {
        const SEVEN: u64 = 1 << 7;
        match field {
            Field::DayOfWeek if self.bits & SEVEN != 0 => Self { bits: (self.bits | 1) & !SEVEN, ..self },
            Field::Minute | Field::Hour | Field::DayOfMonth | Field::Month | Field::DayOfWeek => self,
        }
    }

    fn read_entry(text: &str, field: Field) -> Result<Self, Problem> {
        let (minimum, maximum) = field.bounds();
        let owned = || text.to_owned();
        let parts: Vec<&str> = text.split('/').collect();
        let range: Vec<&str> = parts[0].split('-').collect();
        let any = range[0] == "*" || range[0] == "?";
        let (start, mut end) = match (any, range.as_slice()) {
            (true, _) => (minimum, maximum),
            (false, [single]) => {
                let value = number_or_name(single, field)?;
                (value, value)
            }
            (false, [first, last]) => (number_or_name(first, field)?, number_or_name(last, field)?),
            (false, _) => {
                number_or_name(range[0], field)?;
                return Err(Problem::Hyphens { text: parts[0].to_owned() });
            }
        };
        let step = match parts.as_slice() {
            [_] => 1,
            [_, step] => {
                if range.len() == 1 {
                    end = maximum;
                }
                number(step)?
            }
            _ => return Err(Problem::Slashes { text: owned() }),
        };
        if start < minimum {
            return Err(Problem::BelowMinimum { start, minimum, text: owned() });
        }
        if end > maximum {
            return Err(Problem::AboveMaximum { end, maximum, text: owned() });
        }
        if step == 0 {
            return Err(Problem::ZeroStep { text: owned() });
        }
        if start > maximum {
            // go-cron looks at the end only (`40-5`), and is then never due.
            return Err(Problem::AboveMaximum { end: start, maximum, text: owned() });
        }
        let whole = maximum - minimum + 1;
        let wraps = start > end;
        // A range over the end goes on at the beginning.
        let last = if wraps { end + whole } else { end };
        let size = last - start + 1;
        if step > 1 && step >= size {
            return Err(Problem::LargeStep { step, size, text: owned() });
        }
        let stride = usize::try_from(step).unwrap_or(usize::MAX);
        let normal = |value: u64| if value > maximum { (value - minimum) % whole + minimum } else { value };
        let bits = (start..=last).step_by(stride).fold(0, |bits, value| bits | 1 << normal(value));
        let seven = field == Field::DayOfWeek && !any;
        let older = if wraps || seven && (start == 7 || (range.len() == 2 && end == 7)) {
            Some(Older::Refused)
        } else if seven && bits & (1 << 7) != 0 {
            // `1/2`: the end was Saturday.
            Some(Older::WithoutSunday)
        } else {
            None
        };
        Ok(Self { bits, star: any && step == 1, older })
    }
}

fn number_or_name(text: &str, field: Field) -> Result<u64, Problem> {
    let lower = text.to_ascii_lowercase();
    let (minimum, _) = field.bounds();
    match field.names().iter().zip(minimum..).find(|(name, _)| **name == lower) {
        Some((_, value)) => Ok(value),
        None => number(text),
    }
}

/// `strconv.Atoi`, which takes a sign; a negative number cannot come here, since the hyphen was taken for a range.
fn number(text: &str) -> Result<u64, Problem> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Number { text: text.to_owned() });
    }
    let number: Option<i64> = digits.parse().ok();
    number
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| Problem::NumberTooLarge { text: text.to_owned() })
}
