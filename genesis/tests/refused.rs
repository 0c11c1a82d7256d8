//! What a genesis may not hold. Each row changes a valid genesis in one place; the error must name
//! the place and the value.

mod common;

use common::{address, check, hex, with};

/// `path = JSON => the error after "path: "`, or the whole error after `=> @`, as far as it matters.
/// `{a1}` is an address and `{k1}` a key.
const ROWS: &str = r#"
account_shards = 0 => 0 is not from 1 to 256
account_shards = 257 => 257 is not from 1 to 256
margin_asset = "EUR" => "EUR" is not the symbol of an asset

assets[1].symbol = "" => "" is not 1 to 32 letters
assets[1].symbol = "B C" => "B C" is not 1 to 32 letters
assets[1].symbol = "-B" => "-B" is not 1 to 32 letters
assets[1].symbol = "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567" is not 1 to 32
assets[1].symbol = "USDC" => "USDC" occurs twice
assets[1].denom = "usdc" => "usdc" occurs twice
assets[1].decimals = 19 => 19 is not from 0 to 18
groups[1].name = "BTC" => "BTC" occurs twice
groups[1].name = "/" => "/" is not 1 to 32 letters

markets[1].symbol = "BTC/USDC" => "BTC/USDC" occurs twice
markets[2].kind = "perpetual" => @markets[2].expiry: "2026-12-25T08:00:00.000Z" is given
markets[1].group = "ETH" => "ETH" is not the name of a group
markets[0].group = "GOLD" => "GOLD" is not "BTC": a spot market belongs to its base's group
markets[0].base = null => null is not the symbol of an asset
markets[0].base = "ETH" => "ETH" is not the symbol of an asset
markets[0].base = "USDC" => "USDC" is the margin asset
markets[1].base = "BTC" => "BTC" is given, but a perpetual delivers no asset
markets[2].base = "BTC" => "BTC" is given, but a future delivers no asset

markets[0].expiry = "2026-12-25T08:00:00Z" => "2026-12-25T08:00:00.000Z" is given, but a spot market has none
markets[1].expiry = 1798185600000 => "2026-12-25T08:00:00.000Z" is given, but a perpetual has none
markets[2].expiry = null => null is not a time, which a future needs
markets[2].expiry = 1700000000000 => "2023-11-14T22:13:20.000Z" is not after genesis time, 2023-11-14T22:13:20.000Z
markets[2].expiry = "2023-11-14T22:13:19.999Z" => "2023-11-14T22:13:19.999Z" is not after genesis time,
markets[2].expiry = 253402300800000 => 253402300800000 is after 9999-12-31T23:59:59.999Z
markets[2].expiry = "2026-12-25T08:00:00.0001Z" => "2026-12-25T08:00:00.0001Z" is not a whole number of ms
markets[2].expiry = "2026-12-25" => "2026-12-25" is not a time in UTC such as "2026-12-25T08:00:00Z"
markets[2].expiry = "2026-12-25T08:00:00+01:00" => "2026-12-25T08:00:00+01:00" is not a time in UTC
markets[2].expiry = -1 => invalid type: integer `-1`, expected a time such as "2026-12-25T08:00:00Z", or whole ms
markets[2].expiry = 1.5 => invalid type: floating point `1.5`, expected a time such as

markets[0].tick = "0" => "0" is not above zero
markets[0].tick = "-0.1" => "-0.1" is not above zero
markets[0].lot = "0.0" => "0.0" is not above zero
markets[1].tick = "0.0000000001" => "0.0000000001" is not a whole number of atoms of the margin asset per lot: tick x lot ("0.001") x 10^6 must be whole
markets[0].tick = "0.00025" => "0.00025" is not a whole number of atoms
assets[1].decimals = 2 => @markets[0].lot: "0.001" is not a whole number of atoms of BTC, which has 2 decimals
markets[0].lot = "720575940.37927937" => @markets[0].tick: "0.10" is not a whole number of atoms
markets[0].lot = "720575940.38" => "720575940.38" is 72057594038000000 atoms of BTC, more than 72057594037927936

markets[0].min_size = "0" => "0" is 0 lots, which is not from 1 to 1099511627776
markets[0].min_size = "-0.001" => "-0.001" is -1 lots, which is not from 1
markets[0].min_size = "0.0015" => "0.0015" is not a multiple of lot ("0.001")
markets[0].min_size = "100.001" => "100.001" is above max_size ("100")
markets[0].max_size = "1099511627.777" => "1099511627.777" is 1099511627777 lots, which is not from 1
markets[0].max_price = "0" => "0" is 0 ticks, which is not from 1 to 576460752303423
markets[0].max_price = "9.95" => "9.95" is not a multiple of tick ("0.10")
markets[0].max_price = "57646075230342.4" => @series[0].lot: "0.01" is worth more than 4611686018427387904 atoms at 8 times the largest price of BTC
markets[0].max_price = "576460752303423.5" => "576460752303423.5" is 5764607523034235 ticks, which is not from 1 to 5764607523034234

groups[0].price_digits = 2 => 2 is not from 3 to 16
groups[0].price_digits = 17 => 17 is not from 3 to 16
groups[0].price_digits = 16 => @markets[0].max_price: "1000000" is 10000000 ticks, which is not from 1 to 576
markets[2].tick = "0.00001" => "0.00001" is not a whole number of atoms of the margin asset per lot
groups[0].volatility = "0.009" => "0.009" is not from 0.01 to 10
groups[0].volatility = "10.1" => "10.1" is not from 0.01 to 10
groups[0].volatility = "0.1234567890123456" => "0.1234567890123456" has more than 15 decimals
groups[0].volatility = 0.8 => invalid type: floating point `0.8`, expected a decimal number in a string
groups[0].surface_cap = "-0.1" => "-0.1" is not from 0 to 10
groups[0].margin = "own" => "own" is none of aevo, default,
groups[0].margin = "deribit-coin" => @groups[0].margin.numeraire: 1 coin counts; must be usd where there are open orders
groups[0].margin = {"scenarios": [], "option_discount": {"long_base": "0.9", "short_base": "0.8"}} => @groups[0].margin.option_discount.long_base: 0.9 must not be above short_base
groups[0].margin = 5 => 5 is not an object
groups[0].margin = {} => @groups[0].margin.scenarios: missing
groups[0].margin = {"scenarios": [], "im_factor": "0.5"} => @groups[0].margin.im_factor: 0.5 must not be below mm_factor
assets[0].decimals = 13 => 13 is above 12, the most that the margin asset may have
margin_mode = "cross" => unknown variant `cross`, expected `standard` or `portfolio`
order_reserve = "1.1" => "1.1" is not from 0 to 1000000 millionths
order_reserve = "0.0000001" => "0.0000001" is not a whole number of millionths

series[0].group = "ETH" => "ETH" is not the name of a group
series[0].group = "GOLD" => "GOLD" has no perpetual, spot market or future, whose index the strikes follow
series[0].name = "" => "" is not 1 to 32 letters
markets[2].symbol = "BTC-20261225-60000-C" => @series[0].name: "BTC" may list an option with the symbol of BTC-20261225-60000-C
series[0].cadences = [] => [] holds no cadence
series[0].cadences[0].count = 0 => 0 is not above zero
series[0].cadences[0].count = 16 => @series[0].cadences: 17 expiries make 17 in BTC, more than 16
series[0].cadences[0].every = "0s" => "0s" is below "1s", or times count (2) above "3660d"
series[0].cadences[0].every = "1500ms" => "1500ms" is not a whole number of seconds
series[0].cadences[0].every = "1831d" => "1831d" is below "1s", or times count (2) above "3660d"
series[0].cadences[0].every = "1 day" => "1 day" is not a span of time such as "30s", "8h" or "7d"
series[0].cadences[0].every = null => @series[0].cadences[0]: {} has neither of every and last_friday
series[0].cadences[0].offset = "7d" => "7d" is not a whole number of seconds below "7d"
series[0].cadences[0].at = "8h" => "8h" belongs to last_friday, which is not given
series[0].cadences[0].last_friday = 1 => @series[0].cadences[0]: {} has both of every and last_friday
series[0].cadences[1].offset = "8h" => "8h" belongs to every, which is not given
series[0].cadences[1].last_friday = 0 => 0 is not from 1 to 12, or times count (1) above 120
series[0].cadences[1].last_friday = 13 => 13 is not from 1 to 12
series[0].cadences[1].at = "1d" => "1d" is not a whole number of seconds below "1d"
series[0].cadences[1].months = 1 => unknown field `months`
series[0].strike_step = "0" => "0" is not from 1 to 1000000 millionths
series[0].strike_step = "1.1" => "1.1" is not from 1 to 1000000 millionths
series[0].strikes = 0 => 0 is not from 1 to as many as reach
series[0].strikes = 280 => 280 is not from 1 to as many as reach, one step ("0.025") more than that, 7 times the index
series[0].strikes = 10 => @series[0].max_strikes: 20 is not from 21 (2 x strikes + 1) to 1000
series[0].max_strikes = 1001 => 1001 is not from 9 (2 x strikes + 1) to 1000
series[0].tick = "0" => "0" is not above zero
series[0].tick = "0.00001" => "0.00001" is not a whole number of atoms
series[0].tick_bands[0].from = "0" => "0" is 0 ticks, which is not from 1 to 1000000
series[0].tick_bands[0].from = "102" => "102" is not a multiple of step ("5")
series[0].tick_bands[0].from = "100.2" => "100.2" is not a multiple of tick ("0.5")
series[0].tick_bands[0].step = "0.5" => "0.5" is no larger multiple of the step below it
series[0].tick_bands[1].step = "12" => "12" is no larger multiple of the step below it
series[0].tick_bands[1].from = "100" => "100" is not above that of the band before
series[0].tick_bands[0].to = "1" => unknown field `to`
series[0].lot = "0.015" => @series[0].min_size: "0.01" is not a multiple of lot ("0.015")
series[0].min_size = "200" => "200" is above max_size ("100")
series[0].max_size = "2305843009.22" => "2305843009.22" is more than 2305843009213693952 times 10^-9
series[0].max_price = "500000.1" => "500000.1" is not a multiple of tick ("0.5")
series[0].maker_fee = "-0.0001" => "-0.0001" is negative; a maker of options gets no rebate
series[0].taker_fee = "0.0001" => @series[0].maker_fee: "0.0002" is larger in size than taker_fee ("0.0001")
series[0].initial_margin = "0.05" => @series[0].maintenance_margin: "0.075" is above initial_margin ("0.05")
series[0].minimum_margin = "0.16" => "0.16" is not from 0 to 150000 millionths
series[0].mark = "1" => unknown field `mark`

markets[0].price_band = "-0.1" => "-0.1" is not from 0 to 1000000 millionths
markets[1].price_band = "1.000001" => "1.000001" is not from 0 to 1000000 millionths
markets[1].price_band = "0.0000001" => "0.0000001" is not a whole number of millionths
markets[0].min_notional = "-1" => "-1" is not from 0 to 5070602400912917605986812821504 atoms
markets[0].min_notional = "0.0000001" => "0.0000001" has more than 6 decimals
markets[0].max_notional = "5070602400912917605986812.9" => "5070602400912917605986812.9" is not from 0 to
markets[1].min_notional = "100.5" => "100.5" is above max_notional ("100")

markets[0].taker_fee = "-0.0001" => "-0.0001" is not from 0 to 100000 millionths
markets[0].taker_fee = "0.100001" => "0.100001" is not from 0 to 100000 millionths
markets[0].taker_fee = "0.00010001" => "0.00010001" is not a whole number of millionths
markets[0].maker_fee = "0.0004" => "0.0004" is larger in size than taker_fee ("0.0003")
markets[0].maker_fee = "-0.0004" => "-0.0004" is larger in size than taker_fee ("0.0003")

markets[0].initial_margin = "0.1" => "0.1" must be 0 or left out in a spot market
markets[0].maintenance_margin = "0.1" => "0.1" must be 0 or left out in a spot market
markets[0].mark = "1" => "1" must be 0 or left out in a spot market
markets[1].initial_margin = null => null is not a number, which a perpetual needs
markets[2].maintenance_margin = null => null is not a number, which a future needs
markets[1].initial_margin = "1.1" => "1.1" is not from 1 to 1000000 millionths
markets[1].maintenance_margin = "0" => "0" is not from 1 to 1000000 millionths
markets[1].maintenance_margin = "0.06" => "0.06" is above initial_margin ("0.05")
markets[1].mark = null => null is not a number, which a perpetual needs
markets[2].mark = null => null is not a number, which a future needs
markets[1].mark = "0" => "0" is 0 ticks, which is not from 1
markets[1].mark = "1000000.1" => "1000000.1" is 10000001 ticks, which is not from 1 to 10000000
markets[1].taker_hold = 1 => 1 is reserved and must be 0

price_authorities[0] = "b1" => "b1" is not a ballast1... address
price_authorities[1] = "{a9}" => "{a9}" occurs twice

validators = [] => [] holds no validator
validators[1].name = "v1" => "v1" occurs twice
validators[1].name = "" => "" is not 1 to 32 letters
validators[1].consensus_key = "12" => "12" is not 64 hex characters
validators[1].consensus_key = "{k1}" => "{k1}" occurs twice
validators[1].ingress_key = "zz" => "zz" is not 64 hex characters
validators[1].ingress_key = "{k101}" => "{k101}" occurs twice
validators[1].power = 0 => 0 is not above zero
validators[1].power = 1152921504606846967 => 1152921504606846967 makes the total power 1152921504606846977, more than

accounts[0].address = "x/1" => "x/1" is not ballast1... or ballast1.../sub
accounts[0].address = "{a1}/65536" => "{a1}/65536" is not ballast1... or ballast1.../sub
accounts[0].address = "{a1}/7" => @accounts[1].address: "{a1}/7" occurs twice
accounts[1].address = "{a2}/0" => "{a2}/0" occurs twice
accounts[0].balances = {} => {} holds no balance
accounts[0].balances.EUR = "1" => "1" is in "EUR", which is not an asset
accounts[0].balances.USDC = "0.0000001" => "0.0000001" has more than 6 decimals
accounts[0].balances.USDC = "-1" => "-1" is -1000000 atoms, which is not from 0 to
accounts[0].balances.USDC = "1267650600228229401496703.3" => "1267650600228229401496703.3" is 1267650600228229401496703300000 atoms, which is not from 0 to 1267650600228229401496703205376

limits.block_bytes = 104857601 => 104857601 is not from 1 to 104857600
limits.block_bytes = 100000 => @limits.tx_bytes: 65536 is not from 1 to 0 (block_bytes - 131072)
limits.tx_bytes = 2000000 => 2000000 is not from 1 to 1966080 (block_bytes - 131072)
limits.tx_bytes = 8192 => @limits.native_tx_bytes: 16384 is not from 1024 to 7168 (tx_bytes - 1024)
limits.native_tx_bytes = 9 => 9 is not from 1024 to 64512
limits.tx_actions = 0 => 0 is not from 1 to 1000
limits.tx_actions = 1001 => 1001 is not from 1 to 1000
limits.block_weight = 0 => 0 is below the weight of the heaviest transaction of one action,
limits.block_weight = 40000 => 40000 is below the weight of the heaviest transaction of one action,
limits.open_orders = 100000 => @limits.block_weight: 4000000 is below the weight of the heaviest
limits.max_fills = 0 => 0 is not from 1 to 4096
limits.max_fills = 4097 => 4097 is not from 1 to 4096
limits.accounts = 0 => 0 is not from 1 to 4294967295
limits.accounts = 1 => 1 is below the number of genesis accounts, 2
limits.open_orders = 0 => 0 is not from 1 to 100000
limits.agents = 1001 => 1001 is not from 0 to 1000
limits.sweep_orders = 0 => 0 is not from 1 to 100000
limits.nonce_past_ms = 86400001 => 86400001 is not from 1 to 86400000
limits.nonce_future_ms = 0 => 0 is not from 1 to 86400000
limits.bucket_tokens = 0 => 0 is not from 1 to 1000000000
limits.bucket_refill = 1000000001 => 1000000001 is not from 1 to 1000000000
limits.cancel_tokens = 18446744073709551615 => 18446744073709551615 is not from 0 to 1000000000
limits.floors = 0 => 0 is not from 1 to 65536
limits.waiting_orders = 1000001 => 1000001 is not from 0 to 1000000
limits.trailing_orders = 100001 => 100001 is not from 0 to 100000
limits.triggered_orders = 0 => 0 is not from 1 to 10000
limits.pegged_orders = 100001 => 100001 is not from 0 to 100000
limits.twap_slices = 0 => 0 is not from 1 to 10000
limits.twap_slices = 10001 => 10001 is not from 1 to 10000
limits.auction_fills = 0 => 0 is not from 1 to 1000000
limits.listings = 0 => 0 is not from 1 to 10000
limits.listings = 10001 => 10001 is not from 1 to 10000
limits.auction_fills = 1000001 => 1000001 is not from 1 to 1000000

markets[0].tick = 0.5 => invalid type: floating point `0.5`, expected a decimal number in a string
markets[0].tick = "1e3" => "1e3" is not a decimal number
markets[0].kind = "swap" => unknown variant `swap`, expected one of `spot`, `perpetual`, `future`
markets[0].matching = "auction" => unknown variant `auction`, expected `continuous` or `batch`
markets[0].matching = null => expected value
markets[1].sharing = "prorata" => unknown variant `prorata`, expected `time` or `pro_rata`
markets[0].tik = "1" => unknown field `tik`
limits.max_fils = 1 => unknown field `max_fils`
limits.max_fills = 70000 => invalid value: integer `70000`, expected u16
accounts[0].balances.USDC = 1 => invalid type: integer `1`, expected a decimal number in a string
"#;

#[test]
fn every_error_names_the_field_and_the_value() {
    let mut rows = ROWS.to_owned();
    for byte in [1, 2, 9, 101] {
        rows = rows.replace(&format!("{{a{byte}}}"), &address(byte));
        rows = rows.replace(&format!("{{k{byte}}}"), &hex(byte));
    }
    let mut wrong = Vec::new();
    for row in rows.lines().filter(|row| !row.is_empty()) {
        let (change, expected) = row.split_once(" => ").unwrap();
        let (path, value) = change.split_once(" = ").unwrap();
        let expected = match expected.strip_prefix('@') {
            Some(error) => error.to_owned(),
            None => format!("{path}: {expected}"),
        };
        match check(&with(path, serde_json::from_str(value).unwrap())) {
            Err(error) if error.starts_with(&expected) => {}
            Err(error) => wrong.push(format!("{row}\nis {error}")),
            Ok(_) => wrong.push(format!("{row}\nis accepted")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
