;; The two sums that a resize is made of, four channels or sixteen at a time. What they are given and give is told in
;; kernels.ts. Weights are multiples of 2⁻²²; sums begin at a half, so that dropping 22 bits rounds.
(module
  (memory (export "memory") 1)

  ;; Along rows: every output pixel is a weighted sum of input pixels beside each other.
  (func (export "resampleRows")
    (param $input i32) (param $inputBytes i32) (param $rows i32)
    (param $firsts i32) (param $counts i32) (param $weights i32) (param $weightBytes i32) (param $columns i32)
    (param $output i32)
    (local $column i32) (local $first i32) (local $count i32) (local $line i32)
    (local $pixel i32) (local $weight i32) (local $end i32) (local $sum v128)
    (loop $row
      (local.set $column (local.get $columns))
      (local.set $first (local.get $firsts))
      (local.set $count (local.get $counts))
      (local.set $line (local.get $weights))
      (loop $next
        (local.set $sum (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $pixel (i32.add (local.get $input) (i32.mul (i32.load (local.get $first)) (i32.const 3))))
        (local.set $weight (local.get $line))
        (local.set $end (i32.add (local.get $line) (i32.shl (i32.load (local.get $count)) (i32.const 2))))
        (loop $tap
          (local.set $sum
            (i32x4.add
              (local.get $sum)
              (i32x4.mul
                (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $pixel))))
                (v128.load32_splat (local.get $weight)))))
          (local.set $pixel (i32.add (local.get $pixel) (i32.const 3)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
        (local.set $sum (i16x8.narrow_i32x4_s (local.get $sum) (local.get $sum)))
        ;; The fourth byte is overwritten by the next pixel.
        (v128.store32_lane 0 (local.get $output) (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
        (local.set $output (i32.add (local.get $output) (i32.const 3)))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (local.set $count (i32.add (local.get $count) (i32.const 4)))
        (local.set $line (i32.add (local.get $line) (local.get $weightBytes)))
        (local.set $column (i32.sub (local.get $column) (i32.const 1)))
        (br_if $next (local.get $column)))
      (local.set $input (i32.add (local.get $input) (local.get $inputBytes)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows))))

  ;; Along columns: every output row is a weighted sum of input rows, sixteen bytes at a time.
  (func (export "resampleColumns")
    (param $input i32) (param $bytes i32)
    (param $firsts i32) (param $counts i32) (param $weights i32) (param $weightBytes i32) (param $rows i32)
    (param $output i32)
    (local $top i32) (local $at i32) (local $pixels i32) (local $weight i32) (local $end i32)
    (local $sixteen v128) (local $eight v128) (local $factor v128)
    (local $sum0 v128) (local $sum1 v128) (local $sum2 v128) (local $sum3 v128)
    (loop $row
      (local.set $top (i32.add (local.get $input) (i32.mul (i32.load (local.get $firsts)) (local.get $bytes))))
      (local.set $end (i32.add (local.get $weights) (i32.shl (i32.load (local.get $counts)) (i32.const 2))))
      (local.set $at (i32.const 0))
      (loop $block
        (local.set $sum0 (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $sum1 (local.get $sum0))
        (local.set $sum2 (local.get $sum0))
        (local.set $sum3 (local.get $sum0))
        (local.set $pixels (i32.add (local.get $top) (local.get $at)))
        (local.set $weight (local.get $weights))
        (loop $tap
          (local.set $sixteen (v128.load (local.get $pixels)))
          (local.set $factor (v128.load32_splat (local.get $weight)))
          (local.set $eight (i16x8.extend_low_i8x16_u (local.get $sixteen)))
          (local.set $sum0
            (i32x4.add (local.get $sum0)
              (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $eight)) (local.get $factor))))
          (local.set $sum1
            (i32x4.add (local.get $sum1)
              (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $eight)) (local.get $factor))))
          (local.set $eight (i16x8.extend_high_i8x16_u (local.get $sixteen)))
          (local.set $sum2
            (i32x4.add (local.get $sum2)
              (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $eight)) (local.get $factor))))
          (local.set $sum3
            (i32x4.add (local.get $sum3)
              (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $eight)) (local.get $factor))))
          (local.set $pixels (i32.add (local.get $pixels) (local.get $bytes)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        ;; What is beyond the row is overwritten by the next one.
        (v128.store
          (i32.add (local.get $output) (local.get $at))
          (i8x16.narrow_i16x8_u
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $sum0) (i32.const 22))
              (i32x4.shr_s (local.get $sum1) (i32.const 22)))
            (i16x8.narrow_i32x4_s
              (i32x4.shr_s (local.get $sum2) (i32.const 22))
              (i32x4.shr_s (local.get $sum3) (i32.const 22)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $block (i32.lt_u (local.get $at) (local.get $bytes))))
      (local.set $output (i32.add (local.get $output) (local.get $bytes)))
      (local.set $firsts (i32.add (local.get $firsts) (i32.const 4)))
      (local.set $counts (i32.add (local.get $counts) (i32.const 4)))
      (local.set $weights (i32.add (local.get $weights) (local.get $weightBytes)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows)))))
