/// Arithmetic on `u64`. A double of the module of the same name on Aptos.
module aptos_std::math64 {
    use std::error;

    /// Division by zero.
    const EDIVISION_BY_ZERO: u64 = 1;

    public fun max(a: u64, b: u64): u64 {
        if (a >= b) a else b
    }

    public fun min(a: u64, b: u64): u64 {
        if (a < b) a else b
    }

    public fun average(a: u64, b: u64): u64 {
        if (a < b) { a + (b - a) / 2 } else { b + (a - b) / 2 }
    }

    public fun clamp(x: u64, lower: u64, upper: u64): u64 {
        min(upper, max(lower, x))
    }

    public fun pow(n: u64, e: u64): u64 {
        let power = 1;
        while (e > 0) {
            if (e % 2 == 1) {
                power = power * n;
            };
            e = e / 2;
            if (e > 0) {
                n = n * n;
            }
        };
        power
    }

    /// `a * b / c`, rounded down, without losing what the product has over 64 bits.
    public fun mul_div(a: u64, b: u64, c: u64): u64 {
        assert!(c != 0, error::invalid_argument(EDIVISION_BY_ZERO));
        (((a as u128) * (b as u128) / (c as u128)) as u64)
    }

    /// `x / y`, rounded up.
    public fun ceil_div(x: u64, y: u64): u64 {
        assert!(y != 0, error::invalid_argument(EDIVISION_BY_ZERO));
        if (x == 0) 0 else (x - 1) / y + 1
    }
}
