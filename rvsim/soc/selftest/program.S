# The self-test: a bare-metal program that exercises the machine and reports on its console.
#
# It starts in M-mode at the beginning of RAM, prints one line for each part, and powers off through the test
# finisher: pass, or a failure code that counts the parts that failed. It is short, so that the hardware can run it
# with a full waveform.
#
# Registers that keep their meaning throughout:
#   s0  UART              s1  parts failed        s2  number of the current check      s3  parts run
#   s4  where the current part returns to         s11 next row of the table of parts
#   s6  mcause, s7 mtval, s8 mepc, s9 mstatus of the last trap
#   s10 where to go on after a trap, in M-mode with all interrupts disabled; zero: no trap is expected
#   tp  scratch of the trap handler
#
# A part ends with a jump to pass, fail or absent. A check that fails leaves its number in s2.

        .equ UART,          0x10000000
        .equ FINISHER,      0x00100000
        .equ MSIP,          0x02000000
        .equ MTIMECMP,      0x02004000
        .equ MTIME,         0x0200bff8
        .equ PLIC,          0x0c000000
        .equ PLIC_ENABLE,   0x0c002000
        .equ PLIC_CONTEXT,  0x0c200000
        .equ UART_SOURCE,   10
        .equ NOWHERE,       0x18000000          # no block answers here
        .equ STACK,         0x80010000
        .equ ROOT_TABLE,    0x80010000
        .equ LEAF_TABLE,    0x80011000
        .equ PAGE_A,        0x80012000
        .equ PAGE_B,        0x80013000
        .equ VA_A,          0x40000000

start:
        li      sp, STACK
        li      s0, UART
        li      s1, 0
        li      s3, 0
        li      s10, 0
        la      t0, trap
        csrw    mtvec, t0
        csrw    mie, zero
        li      t0, 3                           # 8 bits, no parity
        sb      t0, 3(s0)
        sb      zero, 1(s0)                     # no interrupts
        la      a0, text_banner
        call    print
        la      s11, parts

next_part:
        lw      a0, 0(s11)
        beqz    a0, summary
        call    print
        lw      t0, 4(s11)
        addi    s11, s11, 8
        addi    s3, s3, 1
        li      s2, 0
        jalr    ra, 0(t0)
part_done:
        li      s10, 0
        csrw    mie, zero
        beqz    a0, say_pass
        li      t0, 2
        beq     a0, t0, say_absent
        addi    s1, s1, 1
        la      a0, text_fail
        call    print
        mv      a0, s2
        call    print_hex
        la      a0, text_cause
        call    print
        mv      a0, s6
        call    print_hex
        la      a0, text_value
        call    print
        mv      a0, s7
        call    print_hex
        la      a0, text_pc
        call    print
        mv      a0, s8
        call    print_hex
        la      a0, text_newline
        call    print
        j       next_part
say_pass:
        la      a0, text_pass
        call    print
        j       next_part
say_absent:
        la      a0, text_absent
        call    print
        j       next_part

summary:
        la      a0, text_all
        beqz    s1, finish
        la      a0, text_some
finish:
        call    print
        li      t0, FINISHER
        li      t1, 0x5555
        beqz    s1, power_off
        slli    t2, s1, 16
        li      t1, 0x3333
        or      t1, t1, t2
power_off:
        sw      t1, 0(t0)
power_off_wait:
        j       power_off_wait

pass:
        li      a0, 0
        jr      s4
fail:
        li      a0, 1
        jr      s4
absent:
        li      a0, 2
        jr      s4

# Every trap into M-mode: note what it was and go on at s10.
        .align  2
trap:
        csrr    s6, mcause
        csrr    s7, mtval
        csrr    s8, mepc
        csrr    s9, mstatus
        csrw    mie, zero
        beqz    s10, unexpected
        csrw    mepc, s10
        li      tp, 0x21880                     # MPP = M, MPIE = 0 below, MPRV = 0
        csrc    mstatus, tp
        li      tp, 0x1800
        csrs    mstatus, tp
        mret
unexpected:
        li      tp, 0x20000
        csrc    mstatus, tp
        li      a0, 1
        la      tp, part_done
        jr      tp

# Every trap into S-mode: note it in t3, t4 and go back to M-mode.
        .align  2
supervisor_trap:
        csrr    t3, scause
        csrr    t4, sepc
        csrr    t5, stval
        ecall

# Console -------------------------------------------------------------------------------------------------------

print:                                          # the zero-terminated text at a0
        lbu     t0, 0(a0)
        beqz    t0, print_done
print_wait:
        lbu     t1, 5(s0)                       # line status: transmitter holding register empty
        andi    t1, t1, 0x20
        beqz    t1, print_wait
        sb      t0, 0(s0)
        addi    a0, a0, 1
        j       print
print_done:
        ret

print_hex:                                      # a0 in eight digits
        li      t2, 28
print_hex_digit:
        srl     t0, a0, t2
        andi    t0, t0, 15
        addi    t0, t0, 48
        li      t1, 58
        bltu    t0, t1, print_hex_wait
        addi    t0, t0, 39
print_hex_wait:
        lbu     t1, 5(s0)
        andi    t1, t1, 0x20
        beqz    t1, print_hex_wait
        sb      t0, 0(s0)
        addi    t2, t2, -4
        bgez    t2, print_hex_digit
        ret

# Parts ---------------------------------------------------------------------------------------------------------

part_integer:
        mv      s4, ra
        li      s2, 1                           # shifts and comparisons
        li      t0, 0x80000000
        srai    t1, t0, 31
        li      t2, -1
        bne     t1, t2, fail
        srli    t1, t0, 31
        li      t2, 1
        bne     t1, t2, fail
        slt     t1, t0, zero
        sltu    t3, zero, t0
        and     t1, t1, t3
        bne     t1, t2, fail
        li      s2, 2                           # sub-word stores and sign extension
        li      t0, PAGE_A
        li      t1, 0x12348081
        sw      t1, 0(t0)
        lb      t2, 0(t0)
        li      t3, -127
        bne     t2, t3, fail
        lhu     t2, 0(t0)
        li      t3, 0x8081
        bne     t2, t3, fail
        sb      zero, 1(t0)
        sh      t1, 2(t0)
        lw      t2, 0(t0)
        li      t3, 0x80810081
        bne     t2, t3, fail
        li      s2, 3                           # an access that is not aligned is done (or traps as misaligned)
        la      s10, integer_misaligned
        li      s6, 0
        lw      t2, 1(t0)
integer_misaligned:
        li      s10, 0
        li      t3, 0x808100
        li      t4, 4
        beq     s6, t4, integer_loop
        slli    t2, t2, 8
        srli    t2, t2, 8
        bne     t2, t3, fail
integer_loop:
        li      s2, 4                           # a loop, and a call through a register
        li      t0, 0
        li      t1, 10
integer_sum:
        add     t0, t0, t1
        addi    t1, t1, -1
        bnez    t1, integer_sum
        li      t2, 55
        bne     t0, t2, fail
        la      t0, integer_called
        jalr    t1, 0(t0)
        j       fail
integer_called:
        j       pass

part_multiply:
        mv      s4, ra
        csrr    t0, misa
        li      t1, 0x1000                      # M
        and     t0, t0, t1
        beqz    t0, absent
        li      s2, 1
        li      t0, -2
        li      t1, 3
        mul     t2, t0, t1
        li      t3, -6
        bne     t2, t3, fail
        mulh    t2, t0, t1
        li      t3, -1
        bne     t2, t3, fail
        mulhu   t2, t0, t1
        li      t3, 2
        bne     t2, t3, fail
        mulhsu  t2, t0, t1
        li      t3, -1
        bne     t2, t3, fail
        li      s2, 2                           # division by zero and overflow do not trap
        div     t2, t1, zero
        bne     t2, t3, fail
        rem     t2, t1, zero
        bne     t2, t1, fail
        li      t0, 0x80000000
        li      t1, -1
        div     t2, t0, t1
        bne     t2, t0, fail
        rem     t2, t0, t1
        bnez    t2, fail
        li      s2, 3
        li      t0, -7
        li      t1, 2
        div     t2, t0, t1
        li      t3, -3
        bne     t2, t3, fail
        remu    t2, t0, t1
        li      t3, 1
        bne     t2, t3, fail
        j       pass

part_compressed:
        mv      s4, ra
        csrr    t0, misa
        andi    t0, t0, 4                       # C
        beqz    t0, absent
        li      s2, 1
        c.li    a0, 5
        c.addi  a0, -7
        c.mv    a1, a0
        c.add   a1, a0
        c.slli  a1, 4
        c.srai  a1, 2
        li      t0, -16
        bne     a1, t0, fail
        li      s2, 2                           # a target that is only half-word aligned
        la      a2, compressed_target
        c.jr    a2
        c.nop
compressed_target:
        c.li    a3, 1
        c.addi4spn a4, sp, 16
        addi    a5, sp, 16
        bne     a4, a5, fail
        li      s2, 3                           # a 32-bit instruction across a word boundary
        c.nop
        addi    a3, a3, 0x123
        li      t0, 0x124
        bne     a3, t0, fail
        c.j     compressed_done
        c.nop
compressed_done:
        j       pass

        .align  2                               # all other code suits a hart without C
part_bits:
        mv      s4, ra
        la      s10, bits_probe
        li      s6, 0
        li      t0, 6
        li      t1, 3
        sh1add  t2, t0, t1
bits_probe:
        li      s10, 0
        li      t3, 2
        beq     s6, t3, absent
        li      s2, 1                           # Zba
        li      t3, 15
        bne     t2, t3, fail
        sh2add  t2, t0, t1
        li      t3, 27
        bne     t2, t3, fail
        sh3add  t2, t0, t1
        li      t3, 51
        bne     t2, t3, fail
        li      s2, 2                           # Zbb
        la      s10, bits_zbb
        li      s6, 0
        andn    t2, t0, t1
bits_zbb:
        li      s10, 0
        li      t3, 2
        beq     s6, t3, absent
        li      t3, 4
        bne     t2, t3, fail
        li      t0, 0x00f08001
        clz     t2, t0
        li      t3, 8
        bne     t2, t3, fail
        cpop    t2, t0
        li      t3, 6
        bne     t2, t3, fail
        rev8    t2, t0
        li      t3, 0x0180f000
        bne     t2, t3, fail
        orc.b   t2, t0
        li      t3, 0x00ffffff
        bne     t2, t3, fail
        rori    t2, t0, 4
        li      t3, 0x100f0800
        bne     t2, t3, fail
        sext.h  t2, t0
        li      t3, 0xffff8001
        bne     t2, t3, fail
        maxu    t2, t0, t2
        bne     t2, t3, fail
        ctz     t2, zero
        li      t3, 32
        bne     t2, t3, fail
        li      s2, 3                           # Zbs
        la      s10, bits_zbs
        li      s6, 0
        bseti   t2, zero, 31
bits_zbs:
        li      s10, 0
        li      t3, 2
        beq     s6, t3, absent
        li      t3, 0x80000000
        bne     t2, t3, fail
        binvi   t2, t2, 31
        bnez    t2, fail
        bexti   t2, t0, 15
        li      t3, 1
        bne     t2, t3, fail
        bclri   t2, t0, 15
        li      t3, 0x00f00001
        bne     t2, t3, fail
        j       pass

part_atomics:
        mv      s4, ra
        csrr    t0, misa
        andi    t0, t0, 1                       # A
        beqz    t0, absent
        li      s2, 1                           # a reservation that holds
        li      t0, PAGE_A
        li      t1, 40
        sw      t1, 0(t0)
        lr.w    t2, (t0)
        addi    t2, t2, 2
        sc.w    t3, t2, (t0)
        bnez    t3, fail
        lw      t2, 0(t0)
        li      t3, 42
        bne     t2, t3, fail
        li      s2, 2                           # one that was used up
        sc.w    t3, t1, (t0)
        beqz    t3, fail
        li      s2, 3
        li      t1, -1
        amoadd.w t2, t1, (t0)
        bne     t2, t3, atomics_old
        j       fail
atomics_old:
        li      t3, 42
        bne     t2, t3, fail
        amomaxu.w t2, t1, (t0)
        li      t3, 41
        bne     t2, t3, fail
        amomin.w t2, zero, (t0)
        bne     t2, t1, fail
        amoswap.w t2, t3, (t0)
        bne     t2, t1, fail
        lw      t2, 0(t0)
        bne     t2, t3, fail
        li      s2, 4                           # a misaligned one always traps
        la      s10, atomics_misaligned
        li      s6, 0
        addi    t0, t0, 2
        amoadd.w t2, t1, (t0)
atomics_misaligned:
        li      s10, 0
        li      t3, 6
        bne     s6, t3, fail
        bne     s7, t0, fail
        j       pass

part_traps:
        mv      s4, ra
        li      s2, 1                           # illegal instruction: mtval has its bits
        la      s10, traps_illegal
traps_illegal_at:
        .word   0xffffffff
traps_illegal:
        li      t0, 2
        bne     s6, t0, fail
        li      t0, -1
        bne     s7, t0, fail
        la      t0, traps_illegal_at
        bne     s8, t0, fail
        li      s2, 2                           # a CSR that does not exist
        la      s10, traps_csr
        csrr    t0, 0x7ff
traps_csr:
        li      t0, 2
        bne     s6, t0, fail
        li      s2, 3
        la      s10, traps_ecall
        ecall
traps_ecall:
        li      t0, 11
        bne     s6, t0, fail
        li      s2, 4
        la      s10, traps_ebreak
traps_ebreak_at:
        ebreak
traps_ebreak:
        li      t0, 3
        bne     s6, t0, fail
        la      t0, traps_ebreak_at
        bne     s8, t0, fail
        li      s2, 5                           # access faults: load, store, fetch
        li      t1, NOWHERE
        la      s10, traps_load
        lw      t2, 4(t1)
traps_load:
        li      t0, 5
        bne     s6, t0, fail
        addi    t2, t1, 4
        bne     s7, t2, fail
        li      s2, 6
        la      s10, traps_store
        sw      zero, 8(t1)
traps_store:
        li      t0, 7
        bne     s6, t0, fail
        addi    t2, t1, 8
        bne     s7, t2, fail
        li      s2, 7
        la      s10, traps_fetch
        jr      t1
traps_fetch:
        li      t0, 1
        bne     s6, t0, fail
        bne     s8, t1, fail
        j       pass

part_software_interrupt:
        mv      s4, ra
        li      s2, 1                           # taken at once when it is enabled
        la      s10, software_taken
        li      s6, 0
        li      t0, MSIP
        li      t1, 1
        sw      t1, 0(t0)
        csrsi   mie, 8
        csrsi   mstatus, 8
        nop
        nop
        nop
        nop
        j       software_missing
software_taken:
        csrci   mstatus, 8
        li      t0, 0x80000003
        bne     s6, t0, fail
        li      s2, 2                           # and gone when it is withdrawn
        li      t0, MSIP
        sw      zero, 0(t0)
        csrr    t1, mip
        andi    t1, t1, 8
        bnez    t1, fail
        j       pass
software_missing:
        csrci   mstatus, 8
        j       fail

part_timer:
        mv      s4, ra
        li      s2, 1
        li      t0, MTIME
        li      t1, MTIMECMP
        li      t2, -1
        sw      t2, 4(t1)
        lw      t3, 0(t0)
        lw      t4, 4(t0)
        addi    t3, t3, 200                     # 20 microseconds
        sltiu   t5, t3, 200
        add     t4, t4, t5
        sw      t3, 0(t1)
        sw      t4, 4(t1)
        la      s10, timer_taken
        li      s6, 0
        li      t2, 0x80
        csrs    mie, t2
        csrsi   mstatus, 8
timer_wait:
        wfi
        j       timer_wait
timer_taken:
        csrci   mstatus, 8
        li      t2, 0x80000007
        bne     s6, t2, fail
        li      s2, 2                           # not before its time
        lw      t5, 0(t0)
        sub     t5, t5, t3
        bltz    t5, fail
        li      s2, 3                           # gone when the comparison is in the future
        li      t2, -1
        sw      t2, 4(t1)
        csrr    t2, mip
        andi    t2, t2, 0x80
        bnez    t2, fail
        j       pass

part_plic:
        mv      s4, ra
        li      s2, 1                           # the UART's transmitter is empty: an interrupt
        li      t0, PLIC
        li      t1, 1
        sw      t1, 40(t0)                      # priority of source 10
        li      t0, PLIC_ENABLE
        li      t1, 0x400
        sw      t1, 0(t0)
        li      t0, PLIC_CONTEXT
        sw      zero, 0(t0)
        la      s10, plic_taken
        li      s6, 0
        li      t1, 0x800
        csrs    mie, t1
        csrsi   mstatus, 8
        li      t1, 2
        sb      t1, 1(s0)
        li      t2, 100
plic_wait:
        addi    t2, t2, -1
        bnez    t2, plic_wait
        csrci   mstatus, 8
        sb      zero, 1(s0)
        j       fail
plic_taken:
        csrci   mstatus, 8
        li      t1, 0x8000000b
        bne     s6, t1, plic_quiet
        li      s2, 2                           # claimed once
        lw      t1, 4(t0)
        li      t2, UART_SOURCE
        bne     t1, t2, plic_quiet
        lw      t3, 4(t0)
        bnez    t3, plic_quiet
        li      s2, 3                           # its cause is the transmitter
        lbu     t3, 2(s0)
        andi    t3, t3, 15
        li      t4, 2
        bne     t3, t4, plic_quiet
        sb      zero, 1(s0)
        sw      t1, 4(t0)                       # complete
        li      s2, 4
        lw      t3, 4(t0)
        bnez    t3, plic_quiet
        csrr    t3, mip
        li      t4, 0x800
        and     t3, t3, t4
        bnez    t3, plic_quiet
        li      t0, PLIC_ENABLE
        sw      zero, 0(t0)
        j       pass
plic_quiet:
        sb      zero, 1(s0)
        li      t0, PLIC_ENABLE
        sw      zero, 0(t0)
        j       fail

part_privilege:
        mv      s4, ra
        li      t0, -1                          # all of memory for S and U
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        li      s2, 1                           # U-mode calls
        la      s10, privilege_user_called
        li      a1, 0
        la      t0, privilege_ecall
        call    enter
privilege_user_called:
        li      t0, 8
        bne     s6, t0, fail
        li      s2, 2                           # and may not touch machine state
        la      s10, privilege_user_csr
        li      a1, 0
        la      t0, privilege_csr
        call    enter
privilege_user_csr:
        li      t0, 2
        bne     s6, t0, fail
        li      s2, 3                           # S-mode calls
        la      s10, privilege_supervisor_called
        li      a1, 0x800
        la      t0, privilege_ecall
        call    enter
privilege_supervisor_called:
        li      t0, 9
        bne     s6, t0, fail
        li      s2, 4                           # a trap delegated to S-mode
        la      s10, privilege_delegated
        la      t0, supervisor_trap
        csrw    stvec, t0
        li      t0, 0x100
        csrw    medeleg, t0
        li      a1, 0
        la      t0, privilege_ecall
        call    enter
privilege_delegated:
        csrw    medeleg, zero
        li      t0, 9
        bne     s6, t0, fail
        li      t0, 8
        bne     t3, t0, fail
        la      t0, privilege_ecall
        bne     t4, t0, fail
        li      s2, 5                           # memory protection: a word that U-mode may read and not write
        li      t0, PAGE_A
        srli    t1, t0, 2
        csrw    pmpaddr0, t1
        li      t1, -1
        csrw    pmpaddr1, t1
        li      t1, 0x1f11
        csrw    pmpcfg0, t1
        sw      zero, 0(t0)                     # M-mode may
        la      s10, privilege_protected
        li      a1, 0
        mv      a2, t0
        la      t0, privilege_store
        call    enter
privilege_protected:
        li      t0, 0x1f
        csrw    pmpcfg0, zero
        li      t1, -1
        csrw    pmpaddr0, t1
        csrw    pmpcfg0, t0
        li      t0, 7
        bne     s6, t0, fail
        bne     s7, a2, fail
        j       pass

privilege_ecall:
        ecall
privilege_csr:
        csrr    t6, mstatus
        ecall
privilege_store:
        lw      t6, 0(a2)
        sw      t6, 0(a2)
        ecall

enter:                                          # go to t0 with mstatus.MPP = a1
        li      t6, 0x1800
        csrc    mstatus, t6
        csrs    mstatus, a1
        csrw    mepc, t0
        mret

part_paging:
        mv      s4, ra
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        # All of RAM's first 4 MiB onto itself, for S-mode; VA_A through a leaf table.
        li      t0, ROOT_TABLE
        li      t1, 0x200000cf                  # PPN of 0x80000000, D A X W R V
        li      t2, 0x800
        add     t2, t2, t0
        sw      t1, 0(t2)
        li      t1, LEAF_TABLE
        srli    t1, t1, 2
        ori     t1, t1, 1
        li      t2, 0x400
        add     t2, t2, t0
        sw      t1, 0(t2)
        li      a3, LEAF_TABLE
        li      a4, PAGE_A
        srli    a4, a4, 2
        li      a5, PAGE_B
        srli    a5, a5, 2
        ori     t1, a4, 0x43                    # A R V
        sw      t1, 0(a3)
        ori     t1, a5, 0xd7                    # D A U W R V
        sw      t1, 4(a3)
        sw      zero, 8(a3)
        li      t1, 0xaaaa
        li      t2, PAGE_A
        sw      t1, 0(t2)
        li      t1, 0xbbbb
        li      t2, PAGE_B
        sw      t1, 0(t2)
        srli    t0, t0, 12
        li      t1, 0x80000000
        or      t0, t0, t1
        csrw    satp, t0
        sfence.vma
        li      a2, VA_A

        li      s2, 1                           # a load that is allowed
        la      s10, paging_loaded
        la      t0, paging_load
        li      a1, 0x800
        call    enter
paging_loaded:
        li      t0, 9
        bne     s6, t0, paging_fail
        li      t0, 0xaaaa
        bne     t6, t0, paging_fail
        li      s2, 2                           # a store that is not
        la      s10, paging_stored
        la      t0, paging_store
        li      a1, 0x800
        call    enter
paging_stored:
        li      t0, 15
        bne     s6, t0, paging_fail
        bne     s7, a2, paging_fail
        li      s2, 3                           # nothing mapped
        li      a2, 0x40002004
        la      s10, paging_unmapped
        la      t0, paging_load
        li      a1, 0x800
        call    enter
paging_unmapped:
        li      t0, 13
        bne     s6, t0, paging_fail
        bne     s7, a2, paging_fail
        li      s2, 4                           # not executable
        li      a2, VA_A
        la      s10, paging_fetched
        mv      t0, a2
        li      a1, 0x800
        call    enter
paging_fetched:
        li      t0, 12
        bne     s6, t0, paging_fail
        bne     s8, a2, paging_fail
        li      s2, 5                           # a user page, from S-mode without and with SUM
        li      a2, 0x40001000
        la      s10, paging_user
        la      t0, paging_load
        li      a1, 0x800
        call    enter
paging_user:
        li      t0, 13
        bne     s6, t0, paging_fail
        li      t0, 0x40000
        csrs    mstatus, t0
        la      s10, paging_sum
        la      t0, paging_load
        li      a1, 0x800
        call    enter
paging_sum:
        li      t0, 0x40000
        csrc    mstatus, t0
        li      t0, 9
        bne     s6, t0, paging_fail
        li      t0, 0xbbbb
        bne     t6, t0, paging_fail
        li      s2, 6                           # a mapping changed and fenced, read from M-mode through MPRV
        ori     t1, a5, 0x43
        sw      t1, 0(a3)
        sfence.vma
        li      a2, VA_A
        li      t0, 0x1000
        csrc    mstatus, t0
        li      t0, 0x20800
        csrs    mstatus, t0
        la      s10, paging_fail
        lw      t6, 0(a2)
        li      t1, 0x20000
        csrc    mstatus, t1
        li      t0, 0xbbbb
        bne     t6, t0, paging_fail
        li      s2, 7                           # not dirty: a fault, or a machine that sets the bit itself
        ori     t1, a4, 0x47
        sw      t1, 0(a3)
        sfence.vma
        la      s10, paging_dirty
        la      t0, paging_store
        li      a1, 0x800
        call    enter
paging_dirty:
        lw      t1, 0(a3)
        andi    t1, t1, 0x80
        li      t0, 15
        beq     s6, t0, paging_done
        beqz    t1, paging_fail
paging_done:
        csrw    satp, zero
        sfence.vma
        j       pass
paging_fail:
        csrw    satp, zero
        sfence.vma
        j       fail

paging_load:
        lw      t6, 0(a2)
        ecall
paging_store:
        sw      zero, 0(a2)
        ecall

part_code:
        mv      s4, ra
        li      s2, 1                           # counters count
        csrr    t0, mcycle
        csrr    t1, minstret
        nop
        nop
        csrr    t2, minstret
        csrr    t3, mcycle
        beq     t0, t3, fail
        sub     t1, t2, t1
        li      t2, 3
        bne     t1, t2, fail
        la      s10, code_probe
        li      s6, 0
        fence.i
code_probe:
        li      s10, 0
        li      t3, 2
        beq     s6, t3, pass                    # without Zifencei there is nothing more to see
        li      s2, 2                           # code that was written is what runs after fence.i
        li      t0, PAGE_A
        li      t1, 0x00100513                  # li a0, 1
        sw      t1, 0(t0)
        li      t1, 0x00008067                  # ret
        sw      t1, 4(t0)
        fence.i
        jalr    ra, 0(t0)
        li      t1, 1
        bne     a0, t1, fail
        li      t1, 0x00200513                  # li a0, 2
        sw      t1, 0(t0)
        fence.i
        jalr    ra, 0(t0)
        li      t1, 2
        bne     a0, t1, fail
        j       pass

# Data ----------------------------------------------------------------------------------------------------------

        .align  2
parts:
        .word   name_integer, part_integer
        .word   name_multiply, part_multiply
        .word   name_compressed, part_compressed
        .word   name_bits, part_bits
        .word   name_atomics, part_atomics
        .word   name_code, part_code
        .word   name_traps, part_traps
        .word   name_software, part_software_interrupt
        .word   name_timer, part_timer
        .word   name_plic, part_plic
        .word   name_privilege, part_privilege
        .word   name_paging, part_paging
        .word   0

text_banner:
        .asciz  "rvsim self-test\r\n"
name_integer:
        .asciz  "  integer instructions    "
name_multiply:
        .asciz  "  multiply and divide     "
name_compressed:
        .asciz  "  compressed              "
name_bits:
        .asciz  "  bit manipulation        "
name_atomics:
        .asciz  "  atomics                 "
name_code:
        .asciz  "  counters and fence.i    "
name_traps:
        .asciz  "  exceptions              "
name_software:
        .asciz  "  software interrupt      "
name_timer:
        .asciz  "  timer interrupt         "
name_plic:
        .asciz  "  PLIC and UART interrupt "
name_privilege:
        .asciz  "  M, S, U and protection  "
name_paging:
        .asciz  "  Sv32 virtual memory     "
text_pass:
        .asciz  "PASS\r\n"
text_absent:
        .asciz  "absent\r\n"
text_fail:
        .asciz  "FAIL at check "
text_cause:
        .asciz  ", last trap: mcause "
text_value:
        .asciz  " mtval "
text_pc:
        .asciz  " mepc "
text_newline:
        .asciz  "\r\n"
text_all:
        .asciz  "all parts passed\r\n"
text_some:
        .asciz  "some parts FAILED\r\n"
