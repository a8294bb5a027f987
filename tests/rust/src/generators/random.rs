//! The generators' random numbers: `SplitMix64`, because generated data must not change when a
//! dependency does, and because a stream can start anywhere.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a purpose and an index under a seed; streams are independent of each other.
    pub const fn new(seed: u64, purpose: u64, index: u64) -> Self {
        let mut state = mix(seed ^ 0x5EED_5EED_5EED_5EED);
        state = mix(state ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(mix(state ^ index.wrapping_mul(0xA076_1D64_78BD_642F)))
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: no division, and no bias worth a loop in test data.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// A count from `low` to `high`, both included.
    pub fn count(&mut self, low: usize, high: usize) -> usize {
        low + self.below((high - low) as u64 + 1) as usize
    }

    /// A number from 0 up to but without 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items, which are not empty, all as likely.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// One of the items, which are not empty, each as likely as its weight says.
    pub fn weighted<T: Copy>(&mut self, items: &[(T, u64)]) -> T {
        let mut rest = self.below(items.iter().map(|(_, weight)| weight).sum());
        for &(item, weight) in items {
            if rest < weight {
                return item;
            }
            rest -= weight;
        }
        items[0].0
    }

    /// Some of the items, at most `count`, none twice, in their order.
    pub fn sample<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut wanted = count.min(items.len());
        let mut chosen = Vec::with_capacity(wanted);
        for (at, &item) in items.iter().enumerate() {
            if self.below((items.len() - at) as u64) < wanted as u64 {
                chosen.push(item);
                wanted -= 1;
            }
        }
        chosen
    }

    /// A number with an exponential distribution, rounded down.
    pub fn exponential(&mut self, mean: f64) -> usize {
        (-(1.0 - self.unit()).ln() * mean) as usize
    }

    /// A number whose logarithm is normal with this mean and deviation.
    pub fn log_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        // The sum of twelve: as normal as anybody will notice, and the same on every machine.
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        deviation.mul_add(normal, mean).exp()
    }

    /// Hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            text.push_str(&format!("{:016x}", self.bits()));
        }
        text.truncate(digits);
        text
    }

    /// A random UUID (RFC 9562, version 4).
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers must never change, for recorded results depend on them; the first two are those of
    /// the algorithm's reference implementation.
    #[test]
    fn the_stream_is_pinned() {
        let mut reference = Random(1_234_567);
        assert_eq!(reference.bits(), 6_457_827_717_110_365_317);
        assert_eq!(reference.bits(), 3_203_168_211_198_807_973);
        let mut random = Random::new(42, 1, 7);
        assert_eq!(random.bits(), 14_338_069_085_844_871_528);
        assert_eq!(random.below(1000), 441);
        assert_eq!(random.hex(8), "13826aad");
        assert_eq!(random.uuid(), "2765cbb9-9d5a-45a1-a1a7-464f362bbdec");
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let mut random = Random::new(1, 2, 3);
        for _ in 0..2000 {
            assert!((-3..=4).contains(&random.between(-3, 4)));
            assert!((0.0..1.0).contains(&random.unit()));
            assert_eq!(random.weighted(&[("never", 0), ("always", 5)]), "always");
            assert_eq!(random.sample(&[1, 2, 3, 4], 2).len(), 2);
        }
        assert_eq!(random.sample(&[1, 2, 3], 9), [1, 2, 3]);
    }
}
