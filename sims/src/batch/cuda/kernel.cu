// One replica per thread: a world, a policy and its dice, many steps a launch. The order of all operations is that of the batched engine, so the bits are its
// bits: compiled without contraction, and `fmaf` only where that engine fuses.
//
// The same text is compiled by NVRTC for a device and as C++ for the tests. `shape.h` and `formulas.h` are printed for it: sizes and choices of a fleet, by name
// in capitals, with the tables it works on; and every formula of signals and rules, from the one place where it is defined. What trees do differently from
// bandits stands in `trees.cu`, which is pasted in where it is included.

typedef unsigned int u32;
typedef unsigned long long u64;

#define DEVICE static __device__ __forceinline__

#ifndef SHARED_WORDS
#define SHARED_WORDS extern __shared__ u32 shared_words[]
#endif

// What sizes and choices are where one kernel is compiled for every fleet.
#ifndef VARIABLE
#define VARIABLE static __device__
#endif

// ---- tables -----------------------------------------------------------------------------------------------------------------------------------------------

/// One replica's column of a table `[row][replica]`.
template <class T> struct Column {
    T *first;
    u64 stride;
    __device__ T &operator[](u32 row) const { return first[row * stride]; }
    __device__ Column from(u32 row) const { return {first + row * stride, stride}; }
};

/// So many numbers of a row that lie together, replica after replica: one access where a thread reads them all.
template <class T, u32 N> struct __align__(16) Tile {
    T x[N];
};

#include "shape.h"

/// A replica: its columns, its knobs, the key of its dice, and the lists of right responses of all worlds.
struct Replica : Columns {
    Knobs knobs;
    u32 key[2];
    const u32 *lists;
};

// ---- arithmetic -------------------------------------------------------------------------------------------------------------------------------------------

/// Asks for what lies at an address, which will be read soon.
#ifdef __CUDA_ARCH__
#define PREFETCH(address) asm volatile("prefetch.L1 [%0];" ::"l"(address))
#else
#define PREFETCH(address) (void)(address)
#endif

DEVICE float infinity() { return __uint_as_float(0x7f800000u); }
DEVICE float not_a_number() { return __uint_as_float(0x7fc00000u); }

DEVICE float one_over(u32 n) { return (float)(1.0 / n); }

DEVICE float exp2_polynomial(float x);
DEVICE float log2_polynomial(float x);

/// x and 2^x, after raising x to at least a floor of -126 or more; for x < 127.
struct Power {
    float exponent, value;
};

DEVICE Power exp2_above(float floor, float x) {
    x = fmaxf(x, floor);
    const float rounded = x + 12582912.0f; // 3/2 2^23: leaves the nearest integer in the low bits
    const float value = exp2_polynomial(x - (rounded - 12582912.0f));
    return {x, __uint_as_float(__float_as_uint(value) + (__float_as_uint(rounded) << 23))};
}

DEVICE Power exp2_of(float x) { return exp2_above(-126.0f, fminf(x, 126.0f)); }

/// log2(x) of a positive normal x = 2^e m with m in [sqrt(1/2), sqrt(2)).
DEVICE float log2_of(float x) {
    const u32 half_root = 0x3f3504f3u;
    const u32 shifted = __float_as_uint(x) + ((127u << 23) - half_root);
    const float e = (float)(shifted >> 23) - 127.0f;
    const float z = __uint_as_float((shifted & 0x007fffffu) + half_root) - 1.0f;
    return fmaf(log2_polynomial(z), z, e);
}

/// e^x, up to e^87.
DEVICE float e_to(float x) { return exp2_of(x * LOG2_E).value; }

// ---- dice -------------------------------------------------------------------------------------------------------------------------------------------------

struct Words {
    u32 x[4];
};

/// Philox4x32-10 at the address (block, slot, step, purpose).
DEVICE Words dice(const Replica &me, u32 purpose, u32 step, u32 slot, u32 block) {
    Words c = {{block, 0u, slot, step << 8 | purpose}};
    u32 key0 = me.key[0], key1 = me.key[1];
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const u64 left = (u64)0xD2511F53u * c.x[0], right = (u64)0xCD9E8D57u * c.x[2];
        c = {{(u32)(right >> 32) ^ c.x[1] ^ key0, (u32)right, (u32)(left >> 32) ^ c.x[3] ^ key1, (u32)left}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

// ---- policy -----------------------------------------------------------------------------------------------------------------------------------------------
// Logits and log-probabilities in units of log 2, unless said to be in nats.

DEVICE bool has_bit(const Column<u32> &bits, u32 first, u32 arm) {
    if (BIT_ROWS == 1) return bits[first] >> arm & 1u;
    const u32 word = BIT_ROWS == 2 ? (arm < 32 ? bits[first] : bits[first + 1]) : bits[first + arm / 32];
    return word >> arm % 32 & 1u;
}

DEVICE bool is_right(const Replica &me, u32 prompt, u32 arm) { return has_bit(me.right, prompt * BIT_ROWS, arm); }

/// The logit of `arm` less `shift`.
DEVICE float logit_now(const Replica &me, float shift, u32 prompt, u32 arm) {
    const float x = (me.base[prompt * ARMS + arm] - shift) + me.skill[arm];
    if (!USES_MEMORY || prompt < DOMAIN_START || prompt >= DOMAIN_END) return x;
    return x + me.memory[(prompt - DOMAIN_START) * ARMS + arm];
}

/// The prompt of a slot; known beforehand where there is one only.
DEVICE u32 prompt_of(const Replica &me, u32 slot) { return PROMPTS == 1 ? 0 : me.prompt[slot]; }

/// What is taken off all logits where all train on a single prompt.
DEVICE float shift_of(const Replica &me) { return SINGLE ? me.shift[0] : 0.0f; }

/// The logit as it was when the slot was loaded; where nothing has moved since, nothing was kept.
DEVICE float logit(const Replica &me, u32 slot, u32 arm) {
    return KEEPS_LOGITS ? me.logits[slot * ARMS + arm] : logit_now(me, shift_of(me), prompt_of(me, slot), arm);
}

/// log pi of `arm` as it was when the slot was loaded, in nats.
DEVICE float logprob(const Replica &me, u32 slot, u32 arm) { return (logit(me, slot, arm) - me.log_sum[slot]) * LN_2; }

/// log pi of `arm` under the base model, in nats.
DEVICE float ref_logprob(const Replica &me, u32 prompt, u32 arm) { return me.base[prompt * ARMS + arm] * LN_2; }

/// Loads the logits of a slot; gives the largest.
DEVICE float load(const Replica &me, u32 slot) {
    const u32 prompt = prompt_of(me, slot);
    float top = -infinity();
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const float x = logit_now(me, shift_of(me), prompt, arm);
        if (KEEPS_LOGITS) me.logits[slot * ARMS + arm] = x;
        top = x > top ? x : top;
    }
    return top;
}

/// Keeps the logits of a slot, where they are looked at later.
DEVICE void keep_logits(const Replica &me, u32 slot) {
    if (!KEEPS_LOGITS) return;
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) me.logits[slot * ARMS + arm] = logit_now(me, shift_of(me), prompt_of(me, slot), arm);
}

/// Sum of 2^(logit - shift), its moment, and its part in right arms.
struct Weights {
    float total, moment, right;
};

/// Weights at a slot, those of right arms where `watched`; their running sums go to `sums`.
DEVICE Weights weigh(const Replica &me, u32 slot, float shift, bool watched) {
    const u32 prompt = prompt_of(me, slot);
    Weights sum = {0.0f, 0.0f, 0.0f};
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const Power w = exp2_of(logit(me, slot, arm) - shift);
        sum.total = sum.total + w.value;
        sum.moment = fmaf(w.value, w.exponent, sum.moment);
        if (watched) sum.right = sum.right + (is_right(me, prompt, arm) ? w.value : 0.0f);
        me.sums[arm] = sum.total;
    }
    me.sums[ARMS - 1] = infinity();
    return sum;
}

/// A sum of weights that is further from 1 than this has moved far: below, small weights would be lost.
constexpr float FAR = 1e18f;

/// Weights at a slot, where all train on a single prompt.
DEVICE Weights weigh_shifted(const Replica &me, u32 slot, bool watched) {
    keep_logits(me, slot);
    return weigh(me, slot, 0.0f, watched);
}

/// Computes the policy at a slot: where all train on a single prompt, weights of logits less a shift that is the same for all slots, which needs no look at them
/// all before, until it takes the sum of weights far from 1; else less the largest.
DEVICE Weights find_policy(const Replica &me, u32 slot, bool watched) {
    const float top = SINGLE ? 0.0f : load(me, slot);
    Weights weights = SINGLE ? weigh_shifted(me, slot, watched) : weigh(me, slot, top, watched);
    if (SINGLE && !(weights.total >= 1.0f / FAR && weights.total <= FAR)) {
        me.shift[0] = 0.0f;
        me.shift[0] = load(me, slot);
        weights = weigh_shifted(me, slot, watched);
    }
    // no number where it has left the range of numbers, for then all draws are of the first arm
    if (!(weights.total <= FAR)) weights.total = not_a_number();
    me.log_sum[slot] = top + log2_of(weights.total);
    return weights;
}

/// The first arm whose running sum exceeds `target`.
DEVICE u32 find(const Replica &me, float target) {
    u32 arm = 0;
    for (u32 half = PADDED / 2; half > 0; half /= 2) arm += target >= me.sums[arm + half - 1] ? half : 0;
    return arm;
}

// ---- groups -----------------------------------------------------------------------------------------------------------------------------------------------

/// The arm of a rollout: trained on, only voting, or greedy, in this order. In a tree what stands for its answer: the number of the first rollout of its path.
DEVICE u32 &arm_of(const Replica &me, u32 slot, u32 rollout) { return me.arm[slot * PAID + rollout]; }

/// Number of a visit: a rollout at one depth.
DEVICE u32 visit_of(u32 slot, u32 rollout, u32 h) { return (slot * PAID + rollout) * DEPTH + h; }

/// Number of tokens of a rollout.
DEVICE u32 length_of(const Replica &me, u32 slot, u32 rollout) { return ENDS ? me.length[slot * PAID + rollout] : DEPTH; }

/// Whether a rollout still goes on before its token number `h`.
DEVICE bool is_token(const Replica &me, u32 slot, u32 rollout, u32 h) { return length_of(me, slot, rollout) > h; }

/// What `verdict` says of a path, as bits.
constexpr u32 RIGHT = 1, WELL_FORMED = 2;

/// Whether a rollout is right.
DEVICE bool right_of(const Replica &me, u32 slot, u32 rollout) {
    return TREE ? me.verdict[slot * PAID + rollout] & RIGHT : is_right(me, prompt_of(me, slot), arm_of(me, slot, rollout));
}

/// Whether a rollout gives the answer that the label of its prompt names if it is wrong.
DEVICE bool is_labelled(const Replica &me, u32 slot, u32 prompt, u32 rollout) {
    if (!TREE) return arm_of(me, slot, rollout) == me.label[prompt];
    bool same = true;
    for (u32 h = 0; h < DEPTH; ++h) same = same && me.token[visit_of(slot, rollout, h)] == me.label[prompt * DEPTH + h];
    return same;
}

/// How a group votes.
struct Votes {
    u32 majority;
    bool wrong, scattered;
};

DEVICE u32 votes_for(const Replica &me, u32 slot, u32 arm) {
    u32 count = 0;
    UNROLL_GROUP for (u32 i = 0; i < VOTES; ++i) count += arm_of(me, slot, i) == arm;
    return count;
}

DEVICE Votes count_votes(const Replica &me, u32 slot) {
    u32 most = 0, majority = 0;
    UNROLL_GROUP for (u32 i = 0; i < VOTES; ++i) {
        const u32 arm = arm_of(me, slot, i), count = votes_for(me, slot, arm);
        majority = count > most ? arm : majority;
        most = count > most ? count : most;
    }
    return {majority, TREE ? !right_of(me, slot, majority) : !is_right(me, prompt_of(me, slot), majority), most == 1};
}

/// Chance that others succeed, as a wrong rollout sees it.
DEVICE float others_of(const Replica &me, u32 slot) {
    u32 right = 0;
    UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) right += right_of(me, slot, g);
    return me.others[right];
}

/// A draw among its group, as signals see it; amounts in nats.
struct Draw {
    const Replica &me;
    u32 slot, prompt;
    /// Of a bandit's policy.
    float entropy;
    float others_succeed;
    Votes votes;
    u32 rollout, arm, coin;

    __device__ bool correct() const { return right_of(me, slot, rollout); }
    __device__ bool formatted() const {
        return TREE ? me.verdict[slot * PAID + rollout] & WELL_FORMED : has_bit(me.formatted, 0, arm);
    }
    __device__ bool opens_with(u32 token) const { return (TREE ? me.token[visit_of(slot, rollout, 0)] : arm) == token; }
    __device__ float length() const { return (float)length_of(me, slot, rollout); }
    __device__ float logprob() const { return TREE ? me.path_logprob[rollout] : ::logprob(me, slot, arm); }
    __device__ float ref_logprob() const { return TREE ? me.path_ref_logprob[rollout] : ::ref_logprob(me, prompt, arm); }
    __device__ float mean_logprob() const { return TREE ? logprob() / length() : logprob(); }
    __device__ float mean_ref_logprob() const { return TREE ? ref_logprob() / length() : ref_logprob(); }
    __device__ float mean_entropy() const { return TREE ? me.path_entropy[rollout] / length() : entropy; }
    /// Mean over tokens of the mean over actions of -log pi.
    __device__ float mean_certainty() const {
        if (TREE) return me.path_certainty[rollout] / length();
        float sum = 0.0f;
        UNROLL_ARMS for (u32 a = 0; a < ARMS; ++a) sum = sum + (me.log_sum[slot] - logit(me, slot, a));
        return sum * one_over(ARMS) * LN_2;
    }
    __device__ bool in_majority() const { return arm == votes.majority; }
    __device__ float share() const { return (float)votes_for(me, slot, arm) * one_over(VOTES); }
    __device__ bool mislabelled() const { return me.luck[prompt]; }
    __device__ bool as_mislabelled() const { return is_labelled(me, slot, prompt, rollout); }
    /// Whether the coin pays at the rate of this threshold; word 0 counts as 1.
    __device__ bool pays_at(u32 threshold) const { return threshold >= (coin > 1 ? coin : 1); }
};

/// The same number in every row.
struct Same {
    float x;
    __device__ float operator[](u32) const { return x; }
};

/// Rewards with weights: of a group of `size`, or of a batch.
struct Earned {
    Same weights;
    Column<float> rewards;
    u32 count;
    float size;
};

/// Weights of a group's rollouts by length; those of the group where all are of one length.
struct Lengths {
    const Replica &me;
    u32 slot;
    __device__ float operator[](u32 g) const { return ENDS ? one_over(GROUP) * (float)length_of(me, slot, g) : one_over(GROUP); }
};

/// Rewards of a group, weighted by length.
struct ByLength {
    Lengths weights;
    Column<float> rewards;
    u32 count;
};

/// Weights of the tokens of all rollouts trained on.
struct TokenWeights {
    const Replica &me;
    __device__ float operator[](u32 token) const {
        const u32 rollout = token / DEPTH;
        return is_token(me, rollout / GROUP, rollout % GROUP, token % DEPTH) ? one_over(GROUP) : 0.0f;
    }
};

/// Their advantages.
struct Tokens {
    TokenWeights weights;
    Column<float> rewards;
    u32 count;
    float size;
};

struct Two {
    float best, second;
};

/// Lead of a rollout, and whether one has led.
struct Lead {
    float lead, led;
};

struct OfBatch {
    float mean, scale;
};

/// A centred reward is factor (reward - baseline).
struct Centre {
    float factor, baseline;
};

/// Slope of a surrogate, and whether the ratio was cut.
struct Push {
    float slope;
    bool low, high;
};

#include "formulas.h"

DEVICE Earned group_of(const Replica &me, u32 slot) { return {{one_over(GROUP)}, me.shaped.from(slot * GROUP), GROUP, (float)GROUP}; }

DEVICE Earned batch_of(const Column<float> &rewards) { return {{one_over(GROUP)}, rewards, BATCH * GROUP, 0.0f}; }

// ---- what a step did --------------------------------------------------------------------------------------------------------------------------------------

struct Did {
    float reward, reward_std, flat, accuracy, entropy, success, length, tokens, low, high;
};

/// Mean number of tokens of the rollouts of some slots.
DEVICE float mean_length(const Replica &me, u32 first, u32 end) {
    if (!ENDS) return (float)DEPTH;
    float sum = 0.0f;
    for (u32 slot = first; slot < end; ++slot)
        for (u32 g = 0; g < GROUP; ++g) sum = sum + (float)length_of(me, slot, g);
    return sum * one_over((end - first) * GROUP);
}


/// Averages over the groups of the batch, before rewards are shaped.
DEVICE void describe(const Replica &me, Did &did) {
    const float per_slot = one_over(BATCH);
    did.length = mean_length(me, 0, BATCH);
    for (u32 slot = 0; slot < BATCH; ++slot) {
        const Earned own = group_of(me, slot);
        did.reward = did.reward + mean_of(own) * per_slot;
        did.reward_std = did.reward_std + sqrtf(variance_of(own)) * per_slot;
        did.flat = did.flat + (is_flat(own) ? per_slot : 0.0f);
        float agreed = 0.0f;
        UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
            const bool correct = right_of(me, slot, g);
            agreed = agreed + (correct == (own.rewards[g] > 0.0f) ? own.weights[g] : 0.0f);
        }
        did.accuracy = did.accuracy + agreed * per_slot;
    }
}

// ---- sampling and paying ----------------------------------------------------------------------------------------------------------------------------------

/// Draws the prompts of a step; with one to choose from, once a launch.
DEVICE void draw_prompts(const Replica &me, u32 step, u32 launched) {
    if (SINGLE && step > launched) return;
    for (u32 first = 0; first < BATCH; first += 4) {
        const Words words = dice(me, DICE_PROMPTS, step, 0, first / 4);
#pragma unroll
        for (u32 i = 0; i < 4; ++i)
            if (first + i < BATCH) me.prompt[first + i] = DOMAIN_START + (u32)((2 * (u64)words.x[i] + 1) * (DOMAIN_END - DOMAIN_START) >> 33);
    }
}

/// Draws a group.
DEVICE void draw(const Replica &me, u32 step, u32 slot, float total) {
    const float scale = total * 5.9604645e-8f; // 2^-24
    UNROLL_GROUP for (u32 first = 0; first < SAMPLED; first += 4) {
        const Words words = dice(me, DICE_ROLLOUT, step, slot, first / 4);
#pragma unroll
        for (u32 i = 0; i < 4; ++i)
            if (first + i < SAMPLED) arm_of(me, slot, first + i) = find(me, (float)(words.x[i] >> 8) * scale);
    }
}

/// Adds the most likely arm; of equals, the first.
DEVICE void choose_greedily(const Replica &me, u32 slot) {
    const float top = load(me, slot);
    u32 found = 0;
    UNROLL_ARMS for (u32 arm = ARMS; arm-- > 0;) found = logit(me, slot, arm) >= top ? arm : found;
    arm_of(me, slot, SAMPLED) = found;
}

/// Pays a group, into `reward`.
DEVICE void pay_group(const Replica &me, u32 step, u32 slot, float entropy) {
    Draw one = {me, slot, prompt_of(me, slot), entropy, 0.0f, {0, false, false}, 0, 0, 0};
    if (LOOKS_AT_VOTES) one.votes = count_votes(me, slot);
    if (LOOKS_AT_OTHERS) one.others_succeed = others_of(me, slot);
    UNROLL_GROUP for (u32 first = 0; first < PAID; first += 4) {
        const Words coins = dice(me, DICE_REWARD, step, slot, first / 4);
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            if (first + i >= PAID) continue;
            one.rollout = first + i;
            if (!TREE || LOOKS_AT_VOTES) one.arm = arm_of(me, slot, first + i);
            one.coin = coins.x[i];
            me.reward[first + i] = pay(one, me.knobs);
        }
    }
}

/// Deals the rewards of a group anew: Fisher-Yates, with a uniform below `last + 1` from one word, or two where the first is close to a boundary.
DEVICE void shuffle(const Replica &me, u32 step, u32 slot) {
    u32 next = 0;
    for (u32 last = PAID - 1; last > 0; --last) {
        const u64 product = (u64)dice(me, DICE_SHUFFLE, step, slot, next / 4).x[next % 4] * (last + 1);
        ++next;
        u32 pick = (u32)(product >> 32);
        if ((u32)product > 0u - (last + 1)) {
            const u64 more = (u64)dice(me, DICE_SHUFFLE, step, slot, next / 4).x[next % 4] * (last + 1);
            ++next;
            pick += (u32)product + (u32)(more >> 32) < (u32)product;
        }
        const float reward = me.reward[last];
        me.reward[last] = me.reward[pick];
        me.reward[pick] = reward;
    }
}

/// Keeps what the update needs of a group.
DEVICE void keep(const Replica &me, u32 slot) {
    UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
        me.shaped[slot * GROUP + g] = me.reward[g];
        if (!TREE && KEEPS_LOGPROBS) me.logprob[slot * GROUP + g] = logprob(me, slot, arm_of(me, slot, g));
    }
    if (GREEDY) me.greedy[slot] = me.reward[SAMPLED];
}

/// Pays the group of a slot, and keeps what the update needs of it.
DEVICE void pay_slot(const Replica &me, u32 step, u32 slot, float entropy) {
    pay_group(me, step, slot, entropy);
    if (SHUFFLES) shuffle(me, step, slot);
    keep(me, slot);
}

/// Samples and pays the group of a slot.
DEVICE void sample(const Replica &me, u32 step, u32 slot, bool watched, Did &did) {
    const Weights weights = find_policy(me, slot, watched);
    const float entropy = (log2_of(weights.total) - weights.moment / weights.total) * LN_2;
    did.entropy = did.entropy + entropy * one_over(BATCH);
    did.success = did.success + weights.right / weights.total * one_over(BATCH);
    draw(me, step, slot, weights.total);
    if (GREEDY) choose_greedily(me, slot);
    pay_slot(me, step, slot, entropy);
}

// ---- advantages -------------------------------------------------------------------------------------------------------------------------------------------

/// KL penalty of a path.
DEVICE float path_penalty(const Replica &me, u32 slot, u32 rollout);

/// KL penalty of a rollout.
DEVICE float penalty(const Replica &me, u32 slot, u32 rollout) {
    if (TREE) return path_penalty(me, slot, rollout);
    const u32 arm = arm_of(me, slot, rollout);
    const float now = rollout < GROUP ? me.logprob[slot * GROUP + rollout] : logprob(me, slot, arm);
    return me.knobs.kl_beta * kl_value(ref_logprob(me, prompt_of(me, slot), arm) - now);
}

/// Maps rewards and takes the KL penalty off them.
DEVICE void shape_rewards(const Replica &me) {
    for (u32 slot = 0; slot < BATCH; ++slot) {
        UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
            const float reward = mapped(me.knobs, me.shaped[slot * GROUP + g]);
            me.shaped[slot * GROUP + g] = KL_IN_REWARD ? reward - penalty(me, slot, g) : reward;
        }
        if (!GREEDY) continue;
        const float reward = mapped(me.knobs, me.greedy[slot]);
        me.greedy[slot] = KL_IN_REWARD ? reward - penalty(me, slot, SAMPLED) : reward;
    }
}

/// Advantages of a group.
DEVICE void compare(const Replica &me, u32 slot, const OfBatch &of_batch) {
    const Earned own = group_of(me, slot);
    const ByLength by_length = {{me, slot}, own.rewards, GROUP};
    const Column<float> advantage = me.advantage.from(slot * GROUP);
    const float mean = mean_of(own), greedy = GREEDY ? me.greedy[slot] : 0.0f;
    const float scale = divisor(me.knobs, own, by_length, mean, of_batch, greedy);
    if (ONLY_BEST) {
        const Two two = best_two(own);
        Lead next = {0.0f, 0.0f};
        UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
            next = lead(own, two, next.led, own.rewards[g]);
            advantage[g] = next.lead / scale;
        }
        return;
    }
    const Centre centre = baseline(me.knobs, own, by_length, mean, of_batch, greedy);
    const float factor = centre.factor / scale;
    const float off = AMOUNTS ? rounded_off(own, by_length, centre.baseline) : 0.0f;
    UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) advantage[g] = factor * (own.rewards[g] - centre.baseline - off);
}

/// Advantages of the batch, before they are whitened or weighed by sign.
DEVICE void find_advantages(const Replica &me) {
    const Earned batch = batch_of(me.shaped);
    const OfBatch of_batch = {batch_mean(me.knobs, batch), batch_scale(me.knobs, batch)};
    for (u32 slot = 0; slot < BATCH; ++slot) compare(me, slot, of_batch);
}

/// Whitens advantages of bandits and weighs them by the sign of the reward, where the rule does so.
DEVICE void weigh_advantages(const Replica &me) {
    if (WHITENS) {
        const Earned all = batch_of(me.advantage);
        const float mean = mean_of(all), std = deviation_of(all);
        UNROLL_GROUP for (u32 i = 0; i < BATCH * GROUP; ++i) me.advantage[i] = whitened(me.knobs, me.advantage[i], mean, std);
    }
    if (USES_SIGNS)
        UNROLL_GROUP for (u32 i = 0; i < BATCH * GROUP; ++i) me.advantage[i] = me.advantage[i] * sign_weight(me.knobs, me.shaped[i]);
}

// ---- update -----------------------------------------------------------------------------------------------------------------------------------------------

/// The slots of a minibatch.
struct Slots {
    u32 first, end;
};

/// Coefficient of log pi of a rollout; every clip leaves a ratio of 1 as it is, but for a dual clip below 1.
DEVICE float push(const Replica &me, u32 slot, u32 g, bool on_policy, Did &did) {
    const u32 i = slot * GROUP + g, arm = arm_of(me, slot, g);
    const bool cut = !on_policy || CUTS_ONE;
    float push = me.advantage[i];
    if (!KL_IN_LOSS && !(RATED && cut)) return push;
    const float now = !on_policy ? logprob(me, slot, arm) : KEEPS_LOGPROBS ? me.logprob[i] : 0.0f;
    if (RATED && cut) {
        const Push pushed = push_of(me.knobs, on_policy ? 1.0f : e_to(now - me.logprob[i]), push);
        push = pushed.slope;
        did.low = did.low + (pushed.low ? 1.0f : 0.0f);
        did.high = did.high + (pushed.high ? 1.0f : 0.0f);
    }
    return KL_IN_LOSS ? push - me.knobs.kl_beta * kl_slope(ref_logprob(me, prompt_of(me, slot), arm) - now) : push;
}

DEVICE void find_pushes(const Replica &me, u32 slot, bool on_policy, Did &did) {
    if (RATED) did.tokens = did.tokens + (float)GROUP;
    UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) me.push[slot * GROUP + g] = push(me, slot, g, on_policy, did);
}

/// First row of a slot's prompt in `memory`.
DEVICE u32 memory_of(const Replica &me, u32 slot) { return (prompt_of(me, slot) - DOMAIN_START) * ARMS; }

/// Step sizes of what is shared and what is a prompt's own.
struct Steps {
    float shared, own;
};

/// Entropy at a slot as it was loaded last, in nats.
DEVICE float entropy_now(const Replica &me, u32 slot) {
    float sum = 0.0f;
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const float x = logit(me, slot, arm) - me.log_sum[slot];
        sum = sum - exp2_of(x).value * x;
    }
    return sum * LN_2;
}

/// The part of the gradient in all arms: less the sum of pushes times pi, and the gradient of the entropy, -pi (log pi + H).
DEVICE void ascend_in_all_arms(const Replica &me, u32 slot, const Steps &steps) {
    float total = 0.0f;
    UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) total = total + me.push[slot * GROUP + g];
    const float bonus = me.knobs.entropy_coeff * (float)GROUP;
    const float entropy = USES_ENTROPY ? entropy_now(me, slot) : total;
    const u32 own = memory_of(me, slot);
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const float x = logit(me, slot, arm) - me.log_sum[slot];
        const float p = exp2_of(x).value;
        float slope = total * p;
        if (USES_ENTROPY) slope = slope + bonus * p * (x * LN_2 + entropy);
        if (USES_SKILL) me.skill[arm] = me.skill[arm] - slope * steps.shared;
        if (USES_MEMORY) me.memory[own + arm] = me.memory[own + arm] - slope * steps.own;
    }
}

/// Moves the logits along the gradient of a minibatch.
DEVICE void ascend(const Replica &me, const Slots &slots) {
    const float share = one_over((slots.end - slots.first) * GROUP);
    const Steps steps = {me.knobs.step_shared * share, me.knobs.step_own * share};
    for (u32 slot = slots.first; slot < slots.end; ++slot) {
        const u32 own = memory_of(me, slot);
        UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
            const float push = me.push[slot * GROUP + g];
            const u32 arm = arm_of(me, slot, g);
            if (USES_SKILL) me.skill[arm] = me.skill[arm] + push * steps.shared;
            if (USES_MEMORY) me.memory[own + arm] = me.memory[own + arm] + push * steps.own;
        }
    }
    if (USES_DENSE)
        for (u32 slot = slots.first; slot < slots.end; ++slot) ascend_in_all_arms(me, slot, steps);
}

#include "trees.cu"

/// All updates of the batch: passes over its minibatches.
DEVICE void update(const Replica &me, Did &did) {
    if (TREE) spread_advantages(me);
    else weigh_advantages(me);
    for (u32 pass = 0; pass < PASSES; ++pass) {
        for (u32 first = 0; first < BATCH; first += MINIBATCH) {
            const Slots slots = {first, first + MINIBATCH < BATCH ? first + MINIBATCH : BATCH};
            const bool on_policy = pass == 0 && first == 0;
            if (TREE) {
                update_trees(me, slots, on_policy, did);
                continue;
            }
            for (u32 slot = slots.first; slot < slots.end && !on_policy; ++slot) find_policy(me, slot, false);
            for (u32 slot = slots.first; slot < slots.end; ++slot) find_pushes(me, slot, on_policy, did);
            ascend(me, slots);
        }
    }
}

// ---- exact measurements -----------------------------------------------------------------------------------------------------------------------------------

struct Measured {
    float x[MEASURES];
};

/// Adds pass@k from the chance of success, then mode accuracy, covariance, entropy and KL, these three in units of log 2, and length.
DEVICE void add(Measured &sums, float success, float mode, float covariance, float entropy, float kl, float length) {
    float pass = success;
#pragma unroll
    for (u32 k = 0; k < PASS_KS; ++k) {
        sums.x[k] = sums.x[k] + pass;
        pass = pass * (2.0f - pass);
    }
    sums.x[PASS_KS] = sums.x[PASS_KS] + mode;
    sums.x[PASS_KS + 1] = fmaf(covariance, LN_2, sums.x[PASS_KS + 1]);
    sums.x[PASS_KS + 2] = fmaf(entropy, LN_2, sums.x[PASS_KS + 2]);
    sums.x[PASS_KS + 3] = fmaf(kl, LN_2, sums.x[PASS_KS + 3]);
    sums.x[PASS_KS + 4] = sums.x[PASS_KS + 4] + length;
}

/// Adds the measures of one prompt of bandits.
DEVICE void measure_one(const Replica &me, u32 prompt, Measured &sums) {
    float top = -infinity(), mode = 0.0f;
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const float x = logit_now(me, 0.0f, prompt, arm);
        mode = x > top ? (is_right(me, prompt, arm) ? 1.0f : 0.0f) : mode;
        top = x > top ? x : top;
    }
    float total = 0.0f, moment = 0.0f, success = 0.0f, success_moment = 0.0f, gained = 0.0f;
    UNROLL_ARMS for (u32 arm = 0; arm < ARMS; ++arm) {
        const float x = logit_now(me, 0.0f, prompt, arm);
        const Power w = exp2_of(x - top);
        const float share = is_right(me, prompt, arm) ? w.value : 0.0f;
        total = total + w.value;
        moment = fmaf(w.value, w.exponent, moment);
        success = success + share;
        success_moment = fmaf(share, w.exponent, success_moment);
        gained = fmaf(w.value, x - me.base[prompt * ARMS + arm], gained);
    }
    const float inverse = 1.0f / total, log_total = log2_of(total);
    success = success * inverse;
    moment = moment * inverse;
    const float kl = gained * inverse - (top + log_total); // E[logit - base] - log sum
    const float covariance = success_moment * inverse - success * moment; // E[1 log pi] + P H, with log pi = exponent - log_total
    add(sums, success, mode, covariance, log_total - moment, kl, 1.0f);
}

/// Adds the measures of one prompt of trees.
DEVICE void add_tree(const Replica &me, u32 prompt, Measured &sums) {
    const Outlook found = measure_tree(me, prompt);
    const float covariance = fmaf(found.success, found.entropy, found.success_logprob);
    add(sums, found.success, found.mode_right, covariance, found.entropy, found.kl, found.length);
}

/// Means over prompts; sums are added up in chunks, so that rounding does not grow with the number of prompts.
DEVICE Measured means_over(const Replica &me, u32 begin, u32 end) {
    Measured total = {};
    for (u32 first = begin; first < end; first += CHUNK) {
        Measured part = {};
        for (u32 prompt = first; prompt < end && prompt < first + CHUNK; ++prompt) {
            if (TREE) add_tree(me, prompt, part);
            else measure_one(me, prompt, part);
        }
#pragma unroll
        for (u32 i = 0; i < MEASURES; ++i) total.x[i] = total.x[i] + part.x[i];
    }
#pragma unroll
    for (u32 i = 0; i < MEASURES; ++i) total.x[i] = total.x[i] * one_over(end - begin);
    if (!ENDS) total.x[MEASURES - 1] = (float)DEPTH;
    return total;
}

/// Writes means over prompts to `out`.
DEVICE void measure(const Replica &me, u32 begin, u32 end, const Column<float> &out) {
    const Measured means = means_over(me, begin, end);
#pragma unroll
    for (u32 i = 0; i < MEASURES; ++i) out[i] = means.x[i];
}

DEVICE bool evaluates(u32 step) { return step % EVAL_EVERY == 0 || step == STEPS; }

/// Number of an evaluated step among them.
DEVICE u32 look_of(u32 step) { return (step + EVAL_EVERY - 1) / EVAL_EVERY; }

/// Writes what an evaluated step shows: held-out prompts, training prompts, what the step did.
DEVICE void look(const Replica &me, u32 step, const Did &did) {
    const Column<float> out = me.looks.from(look_of(step) * LOOK_ROWS);
    if (TREE && USES_MEMORY) measure_nodes(me);
    measure(me, HELD_OUT_START, PROMPTS, out);
    measure(me, 0, HELD_OUT_START, out.from(MEASURES));
    const float all[] = {did.reward, did.reward_std, did.flat, did.accuracy, did.entropy, did.success, did.length, did.tokens, did.low, did.high};
#pragma unroll
    for (u32 i = 0; i < sizeof(all) / sizeof(float); ++i) out[2 * MEASURES + i] = all[i];
}

/// Writes the mean chance of a right response over the prompts of the domain.
DEVICE void look_at_success(const Replica &me, u32 step) {
    if (!KEEPS_SUCCESS && TREE && USES_MEMORY) measure_nodes(me);
    me.looks[look_of(step)] = KEEPS_SUCCESS ? succeed(me) : means_over(me, DOMAIN_START, DOMAIN_END).x[0];
}

// ---- runs -------------------------------------------------------------------------------------------------------------------------------------------------

/// One step, the first of a launch being `launched`.
DEVICE void take_step(const Replica &me, u32 step, u32 launched) {
    Did did = {};
    const bool looked_at = WATCHES && evaluates(step + 1);
    draw_prompts(me, step, launched);
    for (u32 slot = 0; slot < BATCH; ++slot) {
        if (TREE) sample_paths(me, step, slot, looked_at, did);
        else sample(me, step, slot, FOLLOWS || looked_at, did);
    }
    if (looked_at) describe(me, did);
    shape_rewards(me);
    find_advantages(me);
    update(me, did);
    if (looked_at) look(me, step + 1, did);
    if (SUCCEEDS && evaluates(step + 1)) look_at_success(me, step + 1);
    if (FOLLOWS) {
        me.trail[2 * (step - launched)] = did.success;
        me.trail[2 * (step - launched) + 1] = did.entropy;
    }
}

/// Steps `first` to `end` of every replica. Three blocks at a time on a multiprocessor leave a thread 168 registers: enough, by its compiler, for 64 arms. The
/// smaller blocks of trees leave it all that it can name.
extern "C" __global__ void __launch_bounds__(THREADS, 3) run_replicas(u32 *tables, const u32 *lists, u32 count, u32 first, u32 end) {
    const u32 number = blockIdx.x * blockDim.x + threadIdx.x;
    const u64 replicas = count;
    if (number >= replicas) return;
    SHARED_WORDS;
    PLACE(columns, tables, shared_words, number, replicas);
    fetch(columns, tables, number, replicas);
    const Replica me = {columns, knobs_of(columns), {columns.seed[0], columns.seed[1]}, lists};
    for (u32 row = ARMS; row < PADDED && !TREE; ++row) me.sums[row] = infinity();
    if (KEEPS_SUCCESS && first == 0) keep_success(me);
    if (WATCHES && first == 0) look(me, 0, {});
    if (SUCCEEDS && first == 0) look_at_success(me, 0);
    for (u32 step = first; step < end; ++step) take_step(me, step, first);
    if (FOLLOWS && end == STEPS) measure(me, 0, HELD_OUT_START, me.last);
    store(columns, tables, number, replicas);
}

/// Sums of rows `first` to `end` over replicas, each in PARTS parts: a thread for every row and part.
extern "C" __global__ void sum_rows(const u32 *tables, u32 replicas, u32 first, u32 end, double *parts) {
    const u32 number = blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= (end - first) * PARTS) return;
    const u32 *row = tables + (first + number / PARTS) * (u64)replicas;
    double sum = 0.0;
    for (u32 i = number % PARTS; i < replicas; i += PARTS) sum += __uint_as_float(row[i]);
    parts[number] = sum;
}
