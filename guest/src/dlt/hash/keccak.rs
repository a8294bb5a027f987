//! The permutation Keccak-f\[1600\], for one state or for two at once.
//!
//! Implemented here because no crate hashes two messages at once in WebAssembly's vectors, which
//! saves a third of the time per id.
//!
//! Source: FIPS 202, section 3.

/// A 64 bit lane, or several lanes processed in parallel.
pub(super) trait Lane: Copy {
    /// A constant in each lane.
    fn constant(value: u64) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// `!self & other`.
    fn and_not(self, other: Self) -> Self;
    /// Rotation to the left by 1 to 63 bits.
    fn rotate<const BITS: u32>(self) -> Self;
}

impl Lane for u64 {
    #[inline(always)]
    fn constant(value: u64) -> Self {
        value
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        !self & other
    }

    #[inline(always)]
    fn rotate<const BITS: u32>(self) -> Self {
        self.rotate_left(BITS)
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use portable::Pair;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use vector::Pair;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable {
    use super::Lane;

    /// Two lanes of two states, without vectors.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Pair([u64; 2]);

    impl Pair {
        /// Whether a pair is faster than two single lanes.
        pub(in super::super) const IS_FAST: bool = false;

        pub(in super::super) fn join(a: u64, b: u64) -> Self {
            Self([a, b])
        }

        pub(in super::super) fn split(self) -> [u64; 2] {
            self.0
        }
    }

    impl Lane for Pair {
        #[inline(always)]
        fn constant(value: u64) -> Self {
            Self([value; 2])
        }

        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            Self([self.0[0] ^ other.0[0], self.0[1] ^ other.0[1]])
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            Self([!self.0[0] & other.0[0], !self.0[1] & other.0[1]])
        }

        #[inline(always)]
        fn rotate<const BITS: u32>(self) -> Self {
            Self(self.0.map(|lane| lane.rotate_left(BITS)))
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use std::arch::wasm32::{
        u64x2, u64x2_extract_lane, u64x2_shl, u64x2_shr, u64x2_splat, v128, v128_andnot, v128_or,
        v128_xor,
    };

    use super::Lane;

    /// Two lanes of two states, in a vector.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Pair(v128);

    impl Pair {
        /// Whether a pair is faster than two single lanes.
        pub(in super::super) const IS_FAST: bool = true;

        pub(in super::super) fn join(a: u64, b: u64) -> Self {
            Self(u64x2(a, b))
        }

        pub(in super::super) fn split(self) -> [u64; 2] {
            [u64x2_extract_lane::<0>(self.0), u64x2_extract_lane::<1>(self.0)]
        }
    }

    impl Lane for Pair {
        #[inline(always)]
        fn constant(value: u64) -> Self {
            Self(u64x2_splat(value))
        }

        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            Self(v128_andnot(other.0, self.0))
        }

        #[inline(always)]
        fn rotate<const BITS: u32>(self) -> Self {
            Self(v128_or(u64x2_shl(self.0, BITS), u64x2_shr(self.0, 64 - BITS)))
        }
    }
}

/// Twenty-four rounds.
#[inline]
pub(super) fn permute<L: Lane>(mut state: [L; 25]) -> [L; 25] {
    for constant in ROUND_CONSTANTS {
        state = round(&state, constant);
    }
    state
}

/// One round; the lane at column x and row y is number x + 5 y.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the state has 25 lanes, and x is below 5")]
fn round<L: Lane>(a: &[L; 25], constant: u64) -> [L; 25] {
    // Theta: the parity of the columns to the left and right of each column.
    let parity = |x: usize| a[x].xor(a[x + 5]).xor(a[x + 10]).xor(a[x + 15]).xor(a[x + 20]);
    let c = [parity(0), parity(1), parity(2), parity(3), parity(4)];
    let d = [
        c[4].xor(c[1].rotate::<1>()),
        c[0].xor(c[2].rotate::<1>()),
        c[1].xor(c[3].rotate::<1>()),
        c[2].xor(c[4].rotate::<1>()),
        c[3].xor(c[0].rotate::<1>()),
    ];
    // Rho and pi: the target position and rotation of each lane. Chi: row by row.
    let r0 = chi([
        a[0].xor(d[0]),
        a[6].xor(d[1]).rotate::<44>(),
        a[12].xor(d[2]).rotate::<43>(),
        a[18].xor(d[3]).rotate::<21>(),
        a[24].xor(d[4]).rotate::<14>(),
    ]);
    let r1 = chi([
        a[3].xor(d[3]).rotate::<28>(),
        a[9].xor(d[4]).rotate::<20>(),
        a[10].xor(d[0]).rotate::<3>(),
        a[16].xor(d[1]).rotate::<45>(),
        a[22].xor(d[2]).rotate::<61>(),
    ]);
    let r2 = chi([
        a[1].xor(d[1]).rotate::<1>(),
        a[7].xor(d[2]).rotate::<6>(),
        a[13].xor(d[3]).rotate::<25>(),
        a[19].xor(d[4]).rotate::<8>(),
        a[20].xor(d[0]).rotate::<18>(),
    ]);
    let r3 = chi([
        a[4].xor(d[4]).rotate::<27>(),
        a[5].xor(d[0]).rotate::<36>(),
        a[11].xor(d[1]).rotate::<10>(),
        a[17].xor(d[2]).rotate::<15>(),
        a[23].xor(d[3]).rotate::<56>(),
    ]);
    let r4 = chi([
        a[2].xor(d[2]).rotate::<62>(),
        a[8].xor(d[3]).rotate::<55>(),
        a[14].xor(d[4]).rotate::<39>(),
        a[15].xor(d[0]).rotate::<41>(),
        a[21].xor(d[1]).rotate::<2>(),
    ]);
    // Iota.
    [
        r0[0].xor(L::constant(constant)),
        r0[1],
        r0[2],
        r0[3],
        r0[4], //
        r1[0],
        r1[1],
        r1[2],
        r1[3],
        r1[4], //
        r2[0],
        r2[1],
        r2[2],
        r2[3],
        r2[4], //
        r3[0],
        r3[1],
        r3[2],
        r3[3],
        r3[4], //
        r4[0],
        r4[1],
        r4[2],
        r4[3],
        r4[4],
    ]
}

/// Chi, on one row.
#[inline(always)]
fn chi<L: Lane>(b: [L; 5]) -> [L; 5] {
    [
        b[0].xor(b[1].and_not(b[2])),
        b[1].xor(b[2].and_not(b[3])),
        b[2].xor(b[3].and_not(b[4])),
        b[3].xor(b[4].and_not(b[0])),
        b[4].xor(b[0].and_not(b[1])),
    ]
}

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];
