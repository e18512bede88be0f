//! A set of numbers.

/// Which numbers of a stream something is true of.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Sets a bit; whether it was set before.
    pub(super) fn set(&mut self, number: u64) -> bool {
        let (word, bit) = (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let was = self.0[word] & bit != 0;
        self.0[word] |= bit;
        was
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many are here and not there.
    pub(super) fn without(&self, there: &Self) -> u64 {
        self.0.iter().enumerate().map(|(at, word)| u64::from((word & !there.word(at)).count_ones())).sum()
    }

    /// How many are both here and there.
    pub(super) fn with(&self, there: &Self) -> u64 {
        self.0.iter().enumerate().map(|(at, word)| u64::from((word & there.word(at)).count_ones())).sum()
    }
}
