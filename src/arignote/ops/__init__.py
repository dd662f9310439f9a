"""The ops, one record each, and the functions that apply them to what a user writes.

Modules of this package refer to each other's ops as ``ops.name``, and inside functions only where
the other module comes later in this list: gradients depend on one another in circles.
"""

# ruff: noqa: I001 (the order is that of their dependence)
from arignote.graph.op import op_named as op_named
from arignote.ops.basic import (
    as_variable as as_variable,
    as_variables as as_variables,
    constant as constant,
    constant_value as constant_value,
    is_discrete as is_discrete,
)
from arignote.ops.elementwise import (
    ElementwiseOp as ElementwiseOp,
    common_pattern as common_pattern,
    common_shape as common_shape,
    computed_dtypes as computed_dtypes,
    fit as fit,
    prepare_beside as prepare_beside,
)
from arignote.ops.arithmetic import (
    abs_ as abs_,
    add as add,
    and_ as and_,
    cast as cast,
    cast_exactly as cast_exactly,
    ceil as ceil,
    clip as clip,
    conj as conj,
    eq as eq,
    floor as floor,
    floor_div as floor_div,
    ge as ge,
    gt as gt,
    identity as identity,
    imag as imag,
    inv as inv,
    invert as invert,
    isinf as isinf,
    isnan as isnan,
    le as le,
    lt as lt,
    maximum as maximum,
    minimum as minimum,
    mod as mod,
    mul as mul,
    neg as neg,
    neq as neq,
    or_ as or_,
    pow_ as pow_,
    real as real,
    round_half_away as round_half_away,
    round_half_to_even as round_half_to_even,
    sgn as sgn,
    sqr as sqr,
    sub as sub,
    switch as switch,
    true_div as true_div,
    trunc as trunc,
    xor as xor,
)
from arignote.ops.math import (
    arccos as arccos,
    arccosh as arccosh,
    arcsin as arcsin,
    arcsinh as arcsinh,
    arctan as arctan,
    arctan2 as arctan2,
    arctanh as arctanh,
    cos as cos,
    cosh as cosh,
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    log as log,
    log10 as log10,
    log1p as log1p,
    log2 as log2,
    sigmoid as sigmoid,
    sin as sin,
    sinh as sinh,
    softplus as softplus,
    sqrt as sqrt,
    tan as tan,
    tanh as tanh,
)
from arignote.ops.reduce import (
    REDUCTIONS as REDUCTIONS,
    all_op as all_op,
    any_op as any_op,
    argmax_op as argmax_op,
    argmin_op as argmin_op,
    expand_reduced as expand_reduced,
    max_ as max_,
    max_op as max_op,
    min_op as min_op,
    normalize_axis as normalize_axis,
    order_position as order_position,
    prod_op as prod_op,
    reduce_with as reduce_with,
    sum_ as sum_,
    sum_dtype as sum_dtype,
    sum_op as sum_op,
    upper_bound as upper_bound,
)
from arignote.ops.shape import (
    BROADCASTS as BROADCASTS,
    alloc as alloc,
    alloc_op as alloc_op,
    arange as arange,
    arange_op as arange_op,
    copy_op as copy_op,
    broadcast_like as broadcast_like,
    broadcast_like_op as broadcast_like_op,
    diagonal_op as diagonal_op,
    dims_of as dims_of,
    dimshuffle as dimshuffle,
    dimshuffle_op as dimshuffle_op,
    elements as elements,
    eye as eye,
    flatten as flatten,
    join as join,
    join_op as join_op,
    length as length,
    lengths as lengths,
    pad_left as pad_left,
    rebroadcast_op as rebroadcast_op,
    reshape as reshape,
    reshape_op as reshape_op,
    restore_pattern as restore_pattern,
    scalar_dim as scalar_dim,
    shape_i as shape_i,
    shape_op as shape_op,
    specify_shape as specify_shape,
    specify_shape_op as specify_shape_op,
    stack as stack,
    static_length as static_length,
    wanted_length as wanted_length,
    zeros_like as zeros_like,
)
from arignote.ops.linalg import (
    dot as dot,
    dot_op as dot_op,
    dot_tf32_op as dot_tf32_op,
    outer as outer,
    tensordot as tensordot,
    transpose as transpose,
    with_tf32 as with_tf32,
)
from arignote.ops.index import (
    slice_update as slice_update,
    slice_update_op as slice_update_op,
    static_slice_length as static_slice_length,
    subtensor as subtensor,
    subtensor_op as subtensor_op,
)
from arignote.ops.gather import (
    check_range as check_range,
    advanced_subtensor as advanced_subtensor,
    advanced_update as advanced_update,
    is_advanced as is_advanced,
    nonzero as nonzero,
    nonzero_op as nonzero_op,
    put as put,
    put_op as put_op,
    take_op as take_op,
)
from arignote.ops.nnet import (
    log_softmax_op as log_softmax_op,
    softmax_op as softmax_op,
)
from arignote.ops.pick import (
    pick_op as pick_op,
    place as place,
    place_op as place_op,
)
from arignote.ops.nll import (
    nll_gradient_op as nll_gradient_op,
    nll_op as nll_op,
    nll_with_gradient_op as nll_with_gradient_op,
)
from arignote.ops.control import (
    ifelse as ifelse,
    ifelse_op as ifelse_op,
    print_op as print_op,
)
from arignote.ops.identities import (
    consider_constant as consider_constant,
    disconnected_grad as disconnected_grad,
    grad_clip as grad_clip,
    zero_grad as zero_grad,
    zero_grad_op as zero_grad_op,
)
from arignote.ops.loop import map_rows as map_rows, rows_op as rows_op, scalar_input as scalar_input
from arignote.ops.program import (
    Instruction as Instruction,
    Program as Program,
    Result as Result,
    call_is_native as call_is_native,
    is_native as is_native,
    op_is_native as op_is_native,
    program_op as program_op,
)
from arignote.ops.classic import classic_op as classic_op
from arignote.ops.random import uniform as uniform, uniform_op as uniform_op
from arignote.ops.transfers import to_device_op as to_device_op, to_host_op as to_host_op
