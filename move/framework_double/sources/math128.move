/// Arithmetic on `u128`. A double of the module of the same name on Aptos.
module aptos_std::math128 {
    use std::error;

    /// Division by zero.
    const EDIVISION_BY_ZERO: u64 = 1;

    public fun max(a: u128, b: u128): u128 {
        if (a >= b) a else b
    }

    public fun min(a: u128, b: u128): u128 {
        if (a < b) a else b
    }

    public fun average(a: u128, b: u128): u128 {
        if (a < b) { a + (b - a) / 2 } else { b + (a - b) / 2 }
    }

    public fun clamp(x: u128, lower: u128, upper: u128): u128 {
        min(upper, max(lower, x))
    }

    public fun pow(n: u128, e: u128): u128 {
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

    /// `a * b / c`, rounded down, without losing what the product has over 128 bits.
    public fun mul_div(a: u128, b: u128, c: u128): u128 {
        assert!(c != 0, error::invalid_argument(EDIVISION_BY_ZERO));
        (((a as u256) * (b as u256) / (c as u256)) as u128)
    }

    /// `x / y`, rounded up.
    public fun ceil_div(x: u128, y: u128): u128 {
        assert!(y != 0, error::invalid_argument(EDIVISION_BY_ZERO));
        if (x == 0) 0 else (x - 1) / y + 1
    }
}
