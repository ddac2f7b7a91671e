#[test_only]
/// The vectors were computed outside Move, by a recursion over section 2.1.1 of RFC 9162 with another
/// implementation of SHA3-256. Leaf i is the eight bytes of i, the lowest first.
module capp_settlement::merkle_tests {
    use std::bcs;
    use capp_settlement::merkle;

    fun leaf(i: u64): vector<u8> {
        merkle::hash_leaf(bcs::to_bytes(&i))
    }

    /// The largest power of two below the count.
    fun split(count: u64): u64 {
        let left = 1;
        while (left * 2 < count) left = left * 2;
        left
    }

    /// The root of leaves `from` to `from + count`, and the path of each, by the definition.
    fun tree(from: u64, count: u64): (vector<u8>, vector<vector<vector<u8>>>) {
        if (count == 1) return (leaf(from), vector[vector[]]);
        let left = split(count);
        let (left_root, paths) = tree(from, left);
        let (right_root, right_paths) = tree(from + left, count - left);
        paths.for_each_mut(|path| path.push_back(right_root));
        right_paths.for_each_mut(|path| path.push_back(left_root));
        paths.append(right_paths);
        (merkle::hash_node(left_root, right_root), paths)
    }

    /// The path of a leaf, by the definition.
    fun path(index: u64, count: u64): vector<vector<u8>> {
        let (_, paths) = tree(0, count);
        paths[index]
    }

    /// The leaf is where it is, and neither beside it nor beyond the end.
    fun is_proven_at_its_place(
        index: u64, count: u64, root: vector<u8>, proof: &vector<vector<u8>>
    ) {
        let leaf = leaf(index);
        assert!(merkle::is_included(root, leaf, index, count, proof));
        assert!(!merkle::is_included(root, leaf, index + 1, count, proof));
        assert!(!merkle::is_included(root, leaf, count, count, proof));
    }

    fun every_leaf_is_proven_at_its_place(count: u64, known_root: vector<u8>) {
        let (root, paths) = tree(0, count);
        assert!(root == known_root);
        paths.enumerate_ref(|i, path| is_proven_at_its_place(i, count, known_root, path));
    }

    #[test]
    fun leaves_of_a_tree_of_1() {
        every_leaf_is_proven_at_its_place(
            1,
            x"a8d09c0cea22ae3e1d85788ed488e3b16d32bf23f1e9c2566d83bfdb792cc12f"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_2() {
        every_leaf_is_proven_at_its_place(
            2,
            x"8b9a411f79182df008a1e887980349c6c64fd08612bf0c6fbacf4617706c76f6"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_3() {
        every_leaf_is_proven_at_its_place(
            3,
            x"98083df65b3f2cad26257f54fee81ba0e10b885a71faef8cf6f8795294b25f7d"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_4() {
        every_leaf_is_proven_at_its_place(
            4,
            x"07504fae86b182c54a2adc199bf25f65caa8f290b5218fee9114b047aff67b80"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_5() {
        every_leaf_is_proven_at_its_place(
            5,
            x"9f5dde15a3c69263953429b415683c68145fa3bbf162cbe068d0216a9bf88377"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_6() {
        every_leaf_is_proven_at_its_place(
            6,
            x"3e06fb952af5767b6dee7ff8ef229af8746384fa6c362ae9a4336ad3def83c5c"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_7() {
        every_leaf_is_proven_at_its_place(
            7,
            x"fdb88f4b75a46ee9ee3d453822ac0416a64325be98032c9e83ad2cd6f1f7c1fd"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_8() {
        every_leaf_is_proven_at_its_place(
            8,
            x"5c626ecc2ae9a180e0e6f711a94371524db6d910d3ac3f191aa186af46f8d7bd"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_9() {
        every_leaf_is_proven_at_its_place(
            9,
            x"91ace1a5e27e51d00fe76e4960e01b64b086552662334fd5bd6b6c009e2cdc59"
        );
    }

    #[test]
    fun leaves_of_a_tree_of_17() {
        let known = x"2b1614e00f310b72d873cbc8c23290266fcdc15caeead41dd371d31f5bb21d48";
        let (root, paths) = tree(0, 17);
        assert!(root == known);
        vector[0, 15, 16].for_each_ref(|i| {
            is_proven_at_its_place(*i, 17, known, &paths[*i]);
        });
    }

    #[test]
    fun paths_computed_elsewhere_hold() {
        assert!(
            merkle::is_included(
                x"98083df65b3f2cad26257f54fee81ba0e10b885a71faef8cf6f8795294b25f7d",
                leaf(2),
                2,
                3,
                &vector[
                    x"8b9a411f79182df008a1e887980349c6c64fd08612bf0c6fbacf4617706c76f6"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"fdb88f4b75a46ee9ee3d453822ac0416a64325be98032c9e83ad2cd6f1f7c1fd",
                leaf(5),
                5,
                7,
                &vector[
                    x"ca469a82b475f3a2014a47b5dcdbc78d656591cb50ef2da7f3aab2bae8bf092c",
                    x"9b067153debfcd3d297576d15cb98fadc6dacf4ca74d630ec296c70d4b78db4b",
                    x"07504fae86b182c54a2adc199bf25f65caa8f290b5218fee9114b047aff67b80"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"91ace1a5e27e51d00fe76e4960e01b64b086552662334fd5bd6b6c009e2cdc59",
                leaf(8),
                8,
                9,
                &vector[
                    x"5c626ecc2ae9a180e0e6f711a94371524db6d910d3ac3f191aa186af46f8d7bd"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"2b1614e00f310b72d873cbc8c23290266fcdc15caeead41dd371d31f5bb21d48",
                leaf(16),
                16,
                17,
                &vector[
                    x"3e4725b5d34cb89c13d2a210e806ca6275f93f39a6fc9639b63d8a2c044fcf16"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"602002fb38c6e07cf7fa82a3ff34755fa26bb8401477953643b086a1cf90ab60",
                leaf(0),
                0,
                1000,
                &vector[
                    x"2fc2ca53722c1b8e4508531d150d8f79256f7a8a36701239d76ccc449071e0ed",
                    x"ea730b4be0357d632abde8fba0fae94f3bdb372c048b496f2543b53830265ad8",
                    x"7346ede0ec3c04cd922bf397cf9ef08b0f850d06269fc4dbe6aff598451e3006",
                    x"0603cefd8d72f8fbbe74cc419a460d57eb8d3c0f23ea7937b53f4470622fb18a",
                    x"e3a405f84956ae25223dc891097181f358085477c34c41ea737a6e59833545e2",
                    x"ea8f54c395600f52938499a2dea0649768ec407272e7c891ac1159c6f80c639d",
                    x"85b4e892140a193a0b554f7b0ff4c4b9f9751e507b56c728252a11bd2c504a25",
                    x"4fae0a13d49a2c198bee6062c41e4d058b46f66f34902558e2372b0affbc5ff4",
                    x"ee968befdba1e24b344e069ba1e903ec0ce6c7d3c192c750cdd3c375529d1b15",
                    x"2edec1a2b1e9d49f9c747fc15e4a984415f0929ab0d9bb025c08270983c20123"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"602002fb38c6e07cf7fa82a3ff34755fa26bb8401477953643b086a1cf90ab60",
                leaf(637),
                637,
                1000,
                &vector[
                    x"a07282acfc1120811cfa72e1c8e853e68b5a448928c6d725dc3204ecfd5c0a37",
                    x"6df2482b999e55176b7c05fe3b0fc51042c9b6ced21439c019830f9cc9ab6274",
                    x"09903eba3a2eaaaccc9a7ae40d4a278e5f332ccfddb7eb4ff660a7d7409a1f5a",
                    x"fa8002f815c18bd05e6c49a1082ea230c1e1f3e9b7f1a699784357dfd59225f6",
                    x"e3b798c7c3131d8bac98f554cca3ee0aa546bcbef0978cae33c060d0f17556df",
                    x"7df5ebf664aa9937b14fd61f69eaa5d63e1b53e3b89e4b6f06d928c10cca77a4",
                    x"38b5a5ac2980a087da2249e50060c9a5325145a998f3b08f68d1c4988a68dcf3",
                    x"7ca890ac707dfd087d4339e42d44550568a87e9d2f76bbda8403b94dba71cd7f",
                    x"23eee00a2ae0855f2ae987a474a463dfe1e01e228ec7bb83825d5d6d4de3110e",
                    x"1244e164d649ef7177178fdf663466ac576f6f7b58d94cb17683021a70c7ffcc"
                ]
            )
        );
        assert!(
            merkle::is_included(
                x"602002fb38c6e07cf7fa82a3ff34755fa26bb8401477953643b086a1cf90ab60",
                leaf(999),
                999,
                1000,
                &vector[
                    x"8c5b015ddbbef07354f774f9101cde3ae1084a8f8a8708efd65943567537edbb",
                    x"e343f4beadd18dd994dd90ed68c5a522401ee372ae90f7cc7273d4a32cb46abd",
                    x"1bc89cda2eff381ee857e1a8437efd3e0f0149f47ab9feccb91e7f877886f93c",
                    x"a95d16515b1b20b505d871f82efdc22b976d65e4b88e46f5fd0afe2c16a1d1b0",
                    x"2df40a3dfe02659cbc4ee8ef78320e6a068939e8e3e51bb71532872aef1055c1",
                    x"fe856b9de7a6c173de7d76d61505064f3b805063c06ae130541bb3cdb3c901ab",
                    x"9cf64b39064da21a713f692a4dcf364a3bed4b687311763c2853c14920784cea",
                    x"1244e164d649ef7177178fdf663466ac576f6f7b58d94cb17683021a70c7ffcc"
                ]
            )
        );
    }

    const ROOT_OF_NINE: vector<u8> = x"91ace1a5e27e51d00fe76e4960e01b64b086552662334fd5bd6b6c009e2cdc59";

    #[test]
    fun a_path_too_short_or_too_long_proves_nothing() {
        let proof = path(3, 9);
        let last = proof.pop_back();
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
        proof.push_back(last);
        assert!(merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
        proof.push_back(last);
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
    }

    #[test]
    fun a_path_with_a_bit_turned_proves_nothing() {
        let whole = path(3, 9);
        for (i in 0..whole.length()) {
            let proof = whole;
            let byte = &mut proof[i][31];
            *byte = *byte ^ 1;
            assert!(!merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
        };
    }

    #[test]
    fun a_path_of_odd_lengths_proves_nothing() {
        let proof = path(3, 9);
        let first = &mut proof[0];
        first.push_back(0);
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
        proof[0] = vector[];
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(3), 3, 9, &proof));
    }

    #[test]
    fun a_leaf_that_is_no_hash_is_nowhere() {
        let short = leaf(0);
        short.pop_back();
        assert!(!merkle::is_included(short, short, 0, 1, &vector[]));
        assert!(merkle::is_included(leaf(0), leaf(0), 0, 1, &vector[]));
    }

    #[test]
    fun nothing_is_in_a_tree_of_none() {
        assert!(!merkle::is_included(leaf(0), leaf(0), 0, 0, &vector[]));
    }

    #[test]
    fun an_inner_node_does_not_pass_for_a_leaf() {
        let (inner, _) = tree(0, 2);
        let proof = path(0, 9);
        proof.remove(0);
        assert!(!merkle::is_included(ROOT_OF_NINE, inner, 0, 9, &proof));
        let sides = leaf(0);
        sides.append(leaf(1));
        assert!(merkle::hash_leaf(sides) != inner);
    }

    #[test]
    fun a_path_above_the_root_of_the_count_proves_nothing() {
        let root = merkle::hash_node(leaf(0), leaf(1));
        assert!(merkle::is_included(root, leaf(1), 1, 2, &vector[leaf(0)]));
        assert!(!merkle::is_included(root, leaf(1), 0, 1, &vector[leaf(0)]));
    }

    #[test]
    fun another_count_proves_nothing() {
        let proof = path(8, 9);
        assert!(merkle::is_included(ROOT_OF_NINE, leaf(8), 8, 9, &proof));
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(8), 8, 10, &proof));
        assert!(!merkle::is_included(ROOT_OF_NINE, leaf(8), 8, 8, &proof));
    }
}
