use super::{Bond, bond, information};

#[test]
fn what_is_kept_is_what_the_host_knew() {
    for irk in [[0; 16], [9; 16]] {
        let kept = Bond { address: (1, [1, 2, 3, 4, 5, 0xc6]), irk, ltk: [7; 16] };
        assert_eq!(bond(&information(&kept)), kept);
    }
}
