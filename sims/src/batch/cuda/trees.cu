// Trees: responses of more than one token. A node comes into being when an update first moves it; node 0 is none, its logits are zero and it has no children.
// The policy of a visit is kept from its draw to the update, for nodes move while the rollouts of a batch are added one by one. At the root all rollouts of a slot
// share the first one's.

/// log2 of the weight of what is no action.
constexpr float PAD = -1e30f;

/// Least log2 of a weight, where the largest is 1: far below what a sum resolves.
constexpr float FLOOR = -64.0f;

typedef Tile<float, TILE> Row;

// ---- nodes ------------------------------------------------------------------------------------------------------------------------------------------------

/// Number of the slot's prompt in the domain, which is that of the owner of its nodes.
DEVICE u32 owner_of(const Replica &me, u32 slot) { return prompt_of(me, slot) - DOMAIN_START; }

/// The root of an owner: always there.
DEVICE u32 root_of(u32 owner) { return 1 + owner; }

/// The last node of depth `h` and one more.
DEVICE u32 end_of(const Replica &me, u32 h) { return h == 0 ? 1 + DOMAIN_END - DOMAIN_START : me.first[h] + me.used[h]; }

/// Actions at depth `h`.
DEVICE u32 actions(u32 h) { return h == 0 ? ARMS : ACTIONS; }

/// Private logits of a node, one tile of them.
DEVICE Row private_of(const Replica &me, u32 node, u32 tile) { return USES_MEMORY ? me.private_logits[node * TILES + tile] : Row{}; }

/// The child of a node by a token; 0 where there is none.
DEVICE u32 below(const Replica &me, u32 node, u32 token) {
    return USES_MEMORY ? me.children[node * TILES + token / TILE].x[token % TILE] : 0;
}

/// Base log-probability of an action, and the same with the shared skill.
DEVICE float base_of(const Replica &me, u32 prompt, u32 h, u32 action) { return me.base[(prompt * DEPTH + h) * STRIDE + action]; }
DEVICE float row_of(const Replica &me, u32 prompt, u32 h, u32 action) {
    return base_of(me, prompt, h, action) + (USES_SKILL ? me.skill[h * STRIDE + action] : 0.0f);
}

/// Whether a token is right for a prompt, and whether it is well formed.
DEVICE bool is_right_token(const Replica &me, u32 prompt, u32 h, u32 token) { return has_bit(me.right, (prompt * DEPTH + h) * BIT_ROWS, token); }
DEVICE bool is_formatted(const Replica &me, u32 h, u32 token) { return has_bit(me.formatted, h * BIT_ROWS, token); }

/// Asks for what a visit of `node` will read: as many visits come before it as there are rollouts.
DEVICE void fetch_node(const Replica &me, u32 node, u32 h) {
    for (u32 tile = 0; tile < TILES; ++tile) {
        PREFETCH(&me.private_logits[node * TILES + tile]);
        if (h + 1 < DEPTH) PREFETCH(&me.children[node * TILES + tile]);
    }
}

// ---- rollouts ---------------------------------------------------------------------------------------------------------------------------------------------

/// The policy at one node, besides its weights: their sum, log2 of the sum of 2^logit, entropy and certainty in nats.
struct Place {
    float total, log_sum, entropy, certainty;
};

/// Where the logits of a place begin: without a use for them later, one place serves all.
DEVICE u32 logits_of(u32 place) { return KEEPS_LOGITS ? place * STRIDE : 0; }

/// Finds the logits of a prompt at a node of depth `h`; gives the largest.
DEVICE float load_node(const Replica &me, u32 prompt, u32 h, u32 node, u32 logits) {
    float top = -infinity();
    UNROLL_ARMS for (u32 tile = 0; tile < TILES; ++tile) {
        const Row own = private_of(me, node, tile);
#pragma unroll
        for (u32 k = 0; k < TILE; ++k) {
            const u32 action = tile * TILE + k;
            const float x = row_of(me, prompt, h, action) + own.x[k];
            me.logits[logits + action] = x;
            top = x > top ? x : top;
        }
    }
    return top;
}

/// log2 of the sum of weights, entropy and certainty of the policy at a place.
DEVICE void score(const Replica &me, u32 h, u32 logits, float top, float moment, float inverse, Place &at) {
    const float bits = log2_of(at.total);
    at.log_sum = top + bits;
    at.entropy = (bits - moment * inverse) * LN_2;
    float sum = 0.0f;
    UNROLL_ARMS for (u32 action = 0; action < STRIDE; ++action)
        if (action < actions(h)) sum = sum + (at.log_sum - me.logits[logits + action]);
    at.certainty = sum * (LN_2 / (float)actions(h));
}

/// Computes the policy of a prompt at a node of depth `h` into a place; running sums of its weights go to `sums`.
DEVICE Place weigh_node(const Replica &me, u32 prompt, u32 h, u32 node, u32 place, bool scored) {
    const u32 logits = logits_of(place);
    const float largest = load_node(me, prompt, h, node, logits);
    // no number where logits have left the range of numbers, or what is no action is the largest
    const float top = fabsf(largest) < -PAD ? largest : not_a_number();
    Place at = {0.0f, 0.0f, 0.0f, 0.0f};
    float moment = 0.0f;
    UNROLL_ARMS for (u32 action = 0; action < STRIDE; ++action) {
        const Power w = exp2_above(FLOOR, me.logits[logits + action] - top);
        at.total = at.total + w.value;
        moment = fmaf(w.value, w.exponent, moment);
        me.sums[action] = at.total;
        me.weight[place * STRIDE + action] = w.value;
    }
    // no number where the largest logit is none, for then all draws are of the first token
    at.total = fmaf(top, 0.0f, at.total);
    me.inverse[place] = 1.0f / at.total;
    if (scored) score(me, h, logits, top, moment, me.inverse[place], at);
    if (USES_ENTROPY) {
        me.log_sum[place] = at.log_sum;
        me.entropy_at[place] = at.entropy;
    }
    return at;
}

/// log pi of a token at the place computed last, in nats.
DEVICE float token_logprob(const Replica &me, u32 place, const Place &at, u32 token) {
    float logit = 0.0f;
    UNROLL_ARMS for (u32 action = 0; action < STRIDE; ++action) logit = action == token ? me.logits[logits_of(place) + action] : logit;
    return (logit - at.log_sum) * LN_2;
}

/// log pi of a visit's token under the base model, in nats.
DEVICE float token_ref_logprob(const Replica &me, u32 slot, u32 visit, u32 h) {
    return base_of(me, prompt_of(me, slot), h, me.token[visit]) * LN_2;
}

/// The token that a word means at the place computed last: the first whose running sum of weights exceeds the uniform's.
DEVICE u32 drawn(const Replica &me, float total, u32 word) {
    const float target = (float)(word >> 8) * (total * 5.9604645e-8f); // 2^-24
    u32 token = 0;
    UNROLL_ARMS for (u32 action = 0; action < STRIDE; ++action) token += target >= me.sums[action];
    return token;
}

/// The most likely token at a place; of equals, the first.
DEVICE u32 likeliest(const Replica &me, u32 place) {
    u32 found = 0;
    for (u32 action = 1; action < STRIDE; ++action) found = me.weight[place * STRIDE + action] > me.weight[place * STRIDE + found] ? action : found;
    return found;
}

/// The words of a slot's rollouts.
DEVICE void fetch_words(const Replica &me, u32 step, u32 slot) {
    for (u32 first = 0; first < SAMPLED * DEPTH; first += 4) {
        const Words words = dice(me, DICE_ROLLOUT, step, slot, first / 4);
#pragma unroll
        for (u32 i = 0; i < 4; ++i) me.words[first + i] = words.x[i];
    }
}

/// Sets all rollouts of a slot to the root of its prompt.
DEVICE void open_slot(const Replica &me, u32 slot) {
    const u32 root = USES_MEMORY ? root_of(owner_of(me, slot)) : 0;
    for (u32 rollout = 0; rollout < PAID; ++rollout) me.node[visit_of(slot, rollout, 0)] = root;
}

/// Starts the sums of a slot's paths.
DEVICE void open_paths(const Replica &me, u32 slot, bool scored) {
    for (u32 rollout = 0; rollout < PAID; ++rollout) {
        if (ENDS) me.length[slot * PAID + rollout] = DEPTH;
        if (!scored) continue;
        me.path_logprob[rollout] = 0.0f;
        me.path_ref_logprob[rollout] = 0.0f;
        me.path_entropy[rollout] = 0.0f;
        me.path_certainty[rollout] = 0.0f;
    }
}

/// The place of a visit's policy.
DEVICE u32 place_of(u32 slot, u32 rollout, u32 h) { return visit_of(slot, h == 0 ? 0 : rollout, h); }

/// Adds what a token says to the sums of its path.
DEVICE void add_to_path(const Replica &me, u32 slot, u32 rollout, u32 h, const Place &at) {
    const u32 visit = visit_of(slot, rollout, h);
    const float logprob = token_logprob(me, place_of(slot, rollout, h), at, me.token[visit]);
    if (KEEPS_LOGPROBS) me.logprob[visit] = logprob;
    me.path_logprob[rollout] = me.path_logprob[rollout] + logprob;
    me.path_ref_logprob[rollout] = me.path_ref_logprob[rollout] + token_ref_logprob(me, slot, visit, h);
    me.path_entropy[rollout] = me.path_entropy[rollout] + at.entropy;
    me.path_certainty[rollout] = me.path_certainty[rollout] + at.certainty;
}

/// Sets the next visit of a rollout to the node below this one, if it goes on.
DEVICE void go_on(const Replica &me, u32 visit, u32 h, bool goes_on) {
    if (h + 1 >= DEPTH) return;
    const u32 node = goes_on ? below(me, me.node[visit], me.token[visit]) : 0;
    me.node[visit + 1] = node;
    if (USES_MEMORY) fetch_node(me, node, h + 1);
}

/// Takes a rollout one token further: the token drawn, or, after those sampled, the most likely one. A response that has ended takes token 0 from then on.
DEVICE void visit(const Replica &me, u32 slot, u32 rollout, u32 h, bool scored, Place &at) {
    const u32 visit = visit_of(slot, rollout, h), place = place_of(slot, rollout, h);
    if (!is_token(me, slot, rollout, h)) {
        me.token[visit] = 0;
        return go_on(me, visit, h, false);
    }
    if (place == visit) at = weigh_node(me, prompt_of(me, slot), h, me.node[visit], place, scored);
    const u32 token = rollout < SAMPLED ? drawn(me, at.total, me.words[rollout * DEPTH + h]) : likeliest(me, place);
    const bool ends = ENDS && token == ARMS;
    me.token[visit] = token;
    if (ends) me.length[slot * PAID + rollout] = h + 1;
    if (scored) add_to_path(me, slot, rollout, h, at);
    go_on(me, visit, h, !ends);
}

/// Draws all rollouts of a slot, depth by depth.
DEVICE void descend(const Replica &me, u32 step, u32 slot, bool scored) {
    fetch_words(me, step, slot);
    open_slot(me, slot);
    open_paths(me, slot, scored);
    for (u32 h = 0; h < DEPTH; ++h) {
        Place at = {};
        for (u32 rollout = 0; rollout < PAID; ++rollout) visit(me, slot, rollout, h, scored, at);
    }
}

/// Whether the response with this code is among the right ones listed.
DEVICE bool is_listed(const Replica &me, u32 code) { return me.lists[me.listed_from[0] + code / 32] >> code % 32 & 1u; }

/// Whether a response is right, and whether it is well formed.
DEVICE u32 judge(const Replica &me, u32 slot, u32 rollout) {
    const u32 prompt = prompt_of(me, slot);
    bool right = true, formatted = true;
    u32 content = 0, code = 0;
    for (u32 h = 0; h < DEPTH && is_token(me, slot, rollout, h); ++h) {
        const u32 token = me.token[visit_of(slot, rollout, h)];
        if (token >= ARMS) break;
        right = right && is_right_token(me, prompt, h, token);
        formatted = formatted && is_formatted(me, h, token);
        code = code * ARMS + token;
        ++content;
    }
    if (ENDS) right = right && (float)content >= me.work[prompt];
    if (LISTS) right = right && is_listed(me, code);
    return (right ? RIGHT : 0) | (formatted ? WELL_FORMED : 0);
}

/// Whether two rollouts of a slot took the same path.
DEVICE bool same_path(const Replica &me, u32 slot, u32 one, u32 other) {
    bool same = true;
    for (u32 h = 0; h < DEPTH; ++h) same = same && me.token[visit_of(slot, one, h)] == me.token[visit_of(slot, other, h)];
    return same;
}

/// Names the answer of every rollout of the slot by the first that took the same path.
DEVICE void identify(const Replica &me, u32 slot) {
    for (u32 i = 0; i < PAID; ++i) {
        u32 first = 0;
        while (first < i && !same_path(me, slot, first, i)) ++first;
        arm_of(me, slot, i) = first;
    }
}

/// Samples, judges and pays the slot's group.
DEVICE void sample_paths(const Replica &me, u32 step, u32 slot, bool watched, Did &did) {
    const bool scored = SCORES || watched;
    descend(me, step, slot, scored);
    for (u32 rollout = 0; rollout < PAID; ++rollout) me.verdict[slot * PAID + rollout] = judge(me, slot, rollout);
    if (LOOKS_AT_VOTES) identify(me, slot);
    if (watched) {
        float mean = 0.0f;
        for (u32 g = 0; g < GROUP; ++g) mean = mean + me.path_entropy[g] / (float)length_of(me, slot, g);
        did.entropy = did.entropy + mean * one_over(GROUP) * one_over(BATCH);
    }
    pay_slot(me, step, slot, 0.0f);
}

// ---- advantages -------------------------------------------------------------------------------------------------------------------------------------------

/// Number of a token among those trained on.
DEVICE u32 trained(u32 slot, u32 g, u32 h) { return (slot * GROUP + g) * DEPTH + h; }

DEVICE float path_penalty(const Replica &me, u32 slot, u32 rollout) {
    float sum = 0.0f;
    for (u32 h = 0; h < DEPTH && is_token(me, slot, rollout, h); ++h) {
        const u32 visit = visit_of(slot, rollout, h);
        sum = sum + kl_value(token_ref_logprob(me, slot, visit, h) - me.logprob[visit]);
    }
    return me.knobs.kl_beta * sum;
}

/// Discounts the advantages of a rollout's tokens, the last one least.
DEVICE void discount(const Replica &me, u32 slot, u32 g) {
    float power = 1.0f;
    for (u32 h = length_of(me, slot, g); h-- > 0; power = power * me.knobs.gamma) {
        const u32 at = trained(slot, g, h);
        me.token_advantage[at] = me.token_advantage[at] * power;
    }
}

/// Standardises advantages over all tokens.
DEVICE void whiten_tokens(const Replica &me) {
    const Tokens all = {{me}, me.token_advantage, BATCH * GROUP * DEPTH, 0.0f};
    const float mean = mean_of(all), std = deviation_of(all);
    for (u32 i = 0; i < all.count; ++i) me.token_advantage[i] = whitened(me.knobs, me.token_advantage[i], mean, std);
}

/// Advantages of tokens: those of their rollouts, discounted, whitened and weighed by the sign of the reward, where the rule does so.
DEVICE void spread_advantages(const Replica &me) {
    for (u32 slot = 0; slot < BATCH; ++slot) {
        UNROLL_GROUP for (u32 g = 0; g < GROUP; ++g) {
            for (u32 h = 0; h < DEPTH; ++h) me.token_advantage[trained(slot, g, h)] = me.advantage[slot * GROUP + g];
            if (USES_DISCOUNT) discount(me, slot, g);
        }
    }
    if (WHITENS) whiten_tokens(me);
    if (!USES_SIGNS) return;
    UNROLL_GROUP for (u32 i = 0; i < BATCH * GROUP; ++i) {
        const float weight = sign_weight(me.knobs, me.shaped[i]);
        for (u32 h = 0; h < DEPTH; ++h) me.token_advantage[i * DEPTH + h] = me.token_advantage[i * DEPTH + h] * weight;
    }
}

// ---- update -----------------------------------------------------------------------------------------------------------------------------------------------

/// Computes policies along the slot's rollouts anew, after the policy has moved.
DEVICE void rescore_paths(const Replica &me, u32 slot) {
    open_slot(me, slot);
    for (u32 h = 0; h < DEPTH; ++h) {
        Place at = {};
        for (u32 g = 0; g < GROUP; ++g) {
            const u32 visit = visit_of(slot, g, h), place = place_of(slot, g, h);
            if (is_token(me, slot, g, h)) {
                if (place == visit) at = weigh_node(me, prompt_of(me, slot), h, me.node[visit], place, true);
                me.now[trained(slot, g, h)] = token_logprob(me, place, at, me.token[visit]);
            }
            go_on(me, visit, h, is_token(me, slot, g, h + 1));
        }
    }
}

/// Growth of log pi of a rollout since it was sampled.
DEVICE float growth(const Replica &me, u32 slot, u32 g) {
    float sum = 0.0f;
    for (u32 h = 0; h < DEPTH && is_token(me, slot, g, h); ++h) sum = sum + (me.now[trained(slot, g, h)] - me.logprob[visit_of(slot, g, h)]);
    return sum;
}

/// Coefficient of log pi of a token, before its weight; every clip leaves a ratio of 1 as it is, but for a dual clip below 1.
DEVICE float token_push(const Replica &me, u32 slot, u32 g, u32 h, float grown, bool on_policy, Did &did) {
    const u32 visit = visit_of(slot, g, h), at = trained(slot, g, h);
    const bool cut = RATED && (!on_policy || CUTS_ONE);
    float push = me.token_advantage[at];
    if (!KL_IN_LOSS && !cut) return push;
    const float old = KEEPS_LOGPROBS ? me.logprob[visit] : 0.0f, now = on_policy ? old : me.now[at];
    if (cut) {
        const float ratio = on_policy ? 1.0f : e_to(log_ratio(now - old, grown, (float)length_of(me, slot, g)));
        const Push pushed = push_of(me.knobs, ratio, push);
        push = pushed.slope;
        did.low = did.low + (pushed.low ? 1.0f : 0.0f);
        did.high = did.high + (pushed.high ? 1.0f : 0.0f);
    }
    return KL_IN_LOSS ? push - me.knobs.kl_beta * kl_slope(token_ref_logprob(me, slot, visit, h) - now) : push;
}

/// Coefficients of log pi and entropy of one rollout's tokens.
DEVICE void find_path_pushes(const Replica &me, u32 slot, u32 g, float mean_length, float per_prompt, bool on_policy, Did &did) {
    const float length = (float)length_of(me, slot, g);
    const float weight = token_weight(one_over(GROUP), length, mean_length, (float)DEPTH) * per_prompt;
    if (RATED) did.tokens = did.tokens + length;
    const float grown = RATED && !on_policy ? growth(me, slot, g) : 0.0f;
    for (u32 h = 0; h < DEPTH; ++h) {
        const bool counts = is_token(me, slot, g, h);
        me.push[trained(slot, g, h)] = counts ? token_push(me, slot, g, h, grown, on_policy, did) * weight : 0.0f;
    }
    me.bonus[slot * GROUP + g] = me.knobs.entropy_coeff * weight;
}

/// The same of all tokens of a minibatch, micro-batch by micro-batch where each has a mean length of its own.
DEVICE void find_token_pushes(const Replica &me, const Slots &slots, bool on_policy, Did &did) {
    const u32 size = slots.end - slots.first;
    const u32 chunk = LOCAL ? (size + MICRO_BATCHES - 1) / MICRO_BATCHES : size;
    for (u32 first = slots.first; first < slots.end; first += chunk) {
        const u32 end = first + chunk < slots.end ? first + chunk : slots.end;
        const float length = mean_length(me, first, end);
        for (u32 slot = first; slot < end; ++slot)
            for (u32 g = 0; g < GROUP; ++g) find_path_pushes(me, slot, g, length, one_over(size), on_policy, did);
    }
}

/// Entropy push at the tokens of a rollout.
DEVICE float bonus_of(const Replica &me, u32 slot, u32 g) { return USES_ENTROPY ? me.bonus[slot * GROUP + g] : 0.0f; }

/// Whether no token of a rollout is pushed.
DEVICE bool is_still(const Replica &me, u32 slot, u32 g) {
    bool still = bonus_of(me, slot, g) == 0.0f;
    for (u32 h = 0; h < DEPTH; ++h) still = still && me.push[trained(slot, g, h)] == 0.0f;
    return still;
}

DEVICE void keep_chances(const Replica &me, u32 h, u32 node, u32 prefix);
DEVICE void touch(const Replica &me, u32 h, u32 node);

/// The child of a node by a token, at depth `h`; born where it was not.
DEVICE u32 open(const Replica &me, u32 slot, u32 h, u32 parent, u32 token, u32 prefix) {
    const u32 known = below(me, parent, token);
    if (known) return known;
    const u32 node = me.first[h] + me.used[h];
    me.used[h] = me.used[h] + 1;
    me.owner[node] = owner_of(me, slot);
    me.above[node] = parent * STRIDE + token;
    me.children[parent * TILES + token / TILE].x[token % TILE] = node;
    if (KEEPS_SUCCESS) keep_chances(me, h, node, prefix);
    return node;
}

/// Opens the nodes of a rollout's path that are about to move and of which nothing is remembered.
DEVICE void remember(const Replica &me, u32 slot, u32 g) {
    if (is_still(me, slot, g)) return;
    u32 prefix = 0;
    for (u32 h = 1; h < DEPTH && is_token(me, slot, g, h); ++h) {
        const u32 visit = visit_of(slot, g, h), token = me.token[visit - 1];
        prefix = prefix * ARMS + token;
        if (!me.node[visit]) me.node[visit] = open(me, slot, h, me.node[visit - 1], token, prefix);
    }
}

/// Slope of the entropy at a place in the logit of an action; what is no action stays where it is.
DEVICE float lifted(const Replica &me, u32 place, u32 action, float weight, float lift) {
    const float logprob = me.logits[logits_of(place) + action] - me.log_sum[place];
    const float above = fmaf(logprob, LN_2, me.entropy_at[place]);
    return weight > 1e-18f ? weight * lift * above : 0.0f;
}

/// Adds the gradient of `push log pi(token) + bonus H` at a place to skill and node: `push (e_token - pi) - bonus pi (log pi + H)`.
DEVICE void climb_tokens(const Replica &me, u32 h, u32 place, u32 node, u32 token, float push, float bonus) {
    const float pull = -(push * me.inverse[place]), lift = -(bonus * me.inverse[place]);
    UNROLL_ARMS for (u32 tile = 0; tile < TILES; ++tile) {
        Row own = private_of(me, node, tile);
#pragma unroll
        for (u32 k = 0; k < TILE; ++k) {
            const u32 action = tile * TILE + k;
            const float weight = me.weight[place * STRIDE + action];
            float change = fmaf(weight, pull, action == token ? push : 0.0f);
            if (USES_ENTROPY) change = change + lifted(me, place, action, weight, lift);
            if (USES_SKILL) me.skill[h * STRIDE + action] = fmaf(change, me.knobs.step_shared, me.skill[h * STRIDE + action]);
            own.x[k] = own.x[k] + change * me.knobs.step_own;
        }
        if (USES_MEMORY) me.private_logits[node * TILES + tile] = own;
    }
}

/// Moves the root: the tokens drawn one by one, all others at once, for all rollouts stood there.
DEVICE void climb_root(const Replica &me, u32 slot) {
    const u32 place = place_of(slot, 0, 0), node = me.node[place];
    float total = 0.0f, bonus = 0.0f;
    bool still = true;
    for (u32 g = 0; g < GROUP; ++g) {
        const float push = me.push[trained(slot, g, 0)];
        const u32 token = me.token[visit_of(slot, g, 0)];
        if (USES_SKILL) me.skill[token] = me.skill[token] + push * me.knobs.step_shared;
        if (USES_MEMORY) {
            float &own = me.private_logits[node * TILES + token / TILE].x[token % TILE];
            own = own + push * me.knobs.step_own;
        }
        still = still && push == 0.0f;
        total = total + push;
        bonus = bonus + me.bonus[slot * GROUP + g];
    }
    if (!still || bonus != 0.0f) touch(me, 0, node);
    if (USES_DENSE) climb_tokens(me, 0, place, node, ~0u, total, bonus);
}

/// Moves the node of one visit.
DEVICE void climb_visit(const Replica &me, u32 slot, u32 g, u32 h) {
    if (!is_token(me, slot, g, h)) return;
    const u32 visit = visit_of(slot, g, h);
    const float push = me.push[trained(slot, g, h)], bonus = bonus_of(me, slot, g);
    if (push == 0.0f && bonus == 0.0f) return;
    climb_tokens(me, h, visit, me.node[visit], me.token[visit], push, bonus);
    touch(me, h, me.node[visit]);
}

/// Moves the logits along the gradient of the slot's rollouts.
DEVICE void climb(const Replica &me, u32 slot) {
    for (u32 g = 0; g < GROUP && USES_MEMORY; ++g) remember(me, slot, g);
    climb_root(me, slot);
    for (u32 h = 1; h < DEPTH; ++h)
        for (u32 g = 0; g < GROUP; ++g) climb_visit(me, slot, g, h);
}

/// The update of a minibatch.
DEVICE void update_trees(const Replica &me, const Slots &slots, bool on_policy, Did &did) {
    for (u32 slot = slots.first; slot < slots.end && !on_policy; ++slot) rescore_paths(me, slot);
    find_token_pushes(me, slots, on_policy, did);
    for (u32 slot = slots.first; slot < slots.end; ++slot) climb(me, slot);
}

// ---- exact measurements -----------------------------------------------------------------------------------------------------------------------------------

/// What can be said about the responses below a node, given that everything above was right; in units of log 2. The last is log2 of the sum of 2^logit there.
struct Outlook {
    float success, success_logprob, entropy, kl, length, mode_logprob, mode_right, log_sum;
};

DEVICE Row row_of_outlook(const Outlook &o) {
    return {{o.success, o.success_logprob, o.entropy, o.kl, o.length, o.mode_logprob, o.mode_right, o.log_sum}};
}

DEVICE Outlook outlook_of(const Row &row) { return {row.x[0], row.x[1], row.x[2], row.x[3], row.x[4], row.x[5], row.x[6], row.x[7]}; }

/// Sums over the actions of a node: of weights, of weights times log2 of weights, over all and over right tokens; of weights times what logits exceed base
/// log-probabilities by; log2 of the end's weight, and the weight.
struct Sums {
    float total, moment, right, right_moment, gained, end_exponent, end;
};

/// Largest logit of tokens below which nothing is remembered, and 1 where that token is right.
struct Mode {
    float logit, right;
};

/// The end of a response of `tokens` tokens.
DEVICE Outlook finished(const Replica &me, u32 prompt, u32 tokens) {
    const float enough = !ENDS || (float)tokens >= me.work[prompt] ? 1.0f : 0.0f;
    return {enough, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, enough, 0.0f};
}

/// Of the logits found last.
DEVICE Mode mode_of(const Replica &me, u32 prompt, u32 h, u32 node) {
    Mode mode = {PAD, 0.0f};
    for (u32 token = 0; token < ARMS; ++token) {
        const bool taken = node && h + 1 < DEPTH && below(me, node, token);
        const float free = taken ? PAD : me.logits[token];
        if (!(free > mode.logit)) continue;
        mode = {free, is_right_token(me, prompt, h, token) ? 1.0f : 0.0f};
    }
    return mode;
}

DEVICE Sums sum_up(const Replica &me, u32 prompt, u32 h, float top) {
    Sums sums = {};
    for (u32 action = 0; action < actions(h); ++action) {
        const float logit = me.logits[action];
        const Power w = exp2_above(FLOOR, logit - top);
        sums.total = sums.total + w.value;
        sums.moment = fmaf(w.value, w.exponent, sums.moment);
        sums.gained = fmaf(w.value, logit - base_of(me, prompt, h, action), sums.gained);
        if (action < ARMS) {
            const float share = is_right_token(me, prompt, h, action) ? w.value : 0.0f;
            sums.right = sums.right + share;
            sums.right_moment = fmaf(share, w.exponent, sums.right_moment);
        } else {
            sums.end_exponent = w.exponent;
            sums.end = w.value;
        }
    }
    return sums;
}

/// What lies below a node of depth `h`, as if nothing were remembered below; of node 0, below those of which nothing is remembered. The most likely way to go on is
/// sought only where nothing is.
DEVICE Outlook outlook(const Replica &me, u32 prompt, u32 h, u32 node, const Outlook &below) {
    float top = load_node(me, prompt, h, node, 0);
    top = top > PAD ? top : PAD;
    const Mode mode = mode_of(me, prompt, h, node);
    const Sums sums = sum_up(me, prompt, h, top);
    const float inverse = 1.0f / sums.total, bits = log2_of(sums.total);
    const float log_sum = top + bits, right = sums.right * inverse;
    const float right_logprob = sums.right_moment * inverse - right * bits;
    Outlook sum;
    sum.success = right * below.success;
    sum.success_logprob = fmaf(right_logprob, below.success, right * below.success_logprob);
    sum.entropy = bits - sums.moment * inverse;
    sum.kl = sums.gained * inverse - log_sum; // E[logit - base] - log sum
    sum.mode_logprob = (mode.logit - log_sum) + below.mode_logprob;
    sum.mode_right = mode.right * below.mode_right;
    sum.log_sum = log_sum;
    float goes_on = 1.0f;
    if (ENDS && h > 0) {
        const Outlook ended = finished(me, prompt, h);
        const float p = sums.end * inverse, logprob = sums.end_exponent - bits, share = p * ended.success;
        sum.success = sum.success + share;
        sum.success_logprob = fmaf(share, logprob, sum.success_logprob);
        const bool likelier = logprob > sum.mode_logprob;
        sum.mode_logprob = likelier ? logprob : sum.mode_logprob;
        sum.mode_right = likelier ? ended.mode_right : sum.mode_right;
        goes_on = 1.0f - p;
    }
    sum.entropy = fmaf(goes_on, below.entropy, sum.entropy);
    sum.kl = fmaf(goes_on, below.kl, sum.kl);
    sum.length = goes_on * (1.0f + below.length);
    return sum;
}

/// Corrects the outlook of a node's parent, at depth `h`, by what lies below the node: so far it counts as if nothing were remembered there.
DEVICE void hand_up(const Replica &me, u32 prompt, u32 h, u32 node, const Outlook &below) {
    const u32 parent = me.above[node] / STRIDE, token = me.above[node] % STRIDE;
    const Outlook own = outlook_of(me.outlook[node]);
    Outlook sum = outlook_of(me.outlook[parent]);
    const float logit = row_of(me, prompt, h, token) + me.private_logits[parent * TILES + token / TILE].x[token % TILE];
    const float logprob = logit - sum.log_sum;
    const float p = exp2_above(FLOOR, fminf(logprob, 0.0f)).value;
    const bool right = is_right_token(me, prompt, h, token);
    const float share = right ? p : 0.0f, gain = own.success - below.success;
    const float gained_logprob = fmaf(logprob, gain, own.success_logprob - below.success_logprob);
    sum.success = fmaf(share, gain, sum.success);
    sum.success_logprob = fmaf(share, gained_logprob, sum.success_logprob);
    sum.entropy = fmaf(p, own.entropy - below.entropy, sum.entropy);
    sum.kl = fmaf(p, own.kl - below.kl, sum.kl);
    sum.length = fmaf(p, own.length - below.length, sum.length);
    const float mode = logprob + own.mode_logprob;
    const bool likelier = mode > sum.mode_logprob;
    sum.mode_logprob = likelier ? mode : sum.mode_logprob;
    sum.mode_right = likelier ? (right ? own.mode_right : 0.0f) : sum.mode_right;
    me.outlook[parent] = row_of_outlook(sum);
}

/// Where an owner's outlook below nodes of which nothing is remembered is kept, by depth; last the end.
DEVICE u32 unknown_of(u32 owner, u32 h) { return owner * (DEPTH + 1) + h; }

/// Measures all nodes remembered, deepest first, and what lies below all others of their prompts.
DEVICE void measure_nodes(const Replica &me) {
    for (u32 owner = 0; owner < DOMAIN_END - DOMAIN_START; ++owner) {
        Outlook below = finished(me, DOMAIN_START + owner, DEPTH);
        me.unknown[unknown_of(owner, DEPTH)] = row_of_outlook(below);
        for (u32 h = DEPTH; h-- > 1;) {
            below = outlook(me, DOMAIN_START + owner, h, 0, below);
            me.unknown[unknown_of(owner, h)] = row_of_outlook(below);
        }
    }
    for (u32 h = DEPTH; h-- > 0;) {
        for (u32 node = me.first[h]; node < end_of(me, h); ++node) {
            const u32 owner = h == 0 ? node - 1 : me.owner[node];
            const Outlook below = outlook_of(me.unknown[unknown_of(owner, h + 1)]);
            me.outlook[node] = row_of_outlook(outlook(me, DOMAIN_START + owner, h, node, below));
        }
        if (h + 1 == DEPTH) continue;
        for (u32 node = me.first[h + 1]; node < end_of(me, h + 1); ++node) {
            const u32 owner = me.owner[node];
            hand_up(me, DOMAIN_START + owner, h, node, outlook_of(me.unknown[unknown_of(owner, h + 1)]));
        }
    }
}

/// All about the responses to a prompt, its nodes being measured.
DEVICE Outlook measure_tree(const Replica &me, u32 prompt) {
    if (USES_MEMORY && prompt >= DOMAIN_START && prompt < DOMAIN_END) return outlook_of(me.outlook[root_of(prompt - DOMAIN_START)]);
    Outlook found = finished(me, prompt, DEPTH);
    for (u32 h = DEPTH; h-- > 0;) found = outlook(me, prompt, h, 0, found);
    return found;
}

// ---- success alone ----------------------------------------------------------------------------------------------------------------------------------------
// Without shared skill, what lies below a node changes only where an update has been: only nodes that moved are computed anew, and those above them.

/// What `state` says of a node: it waits to be computed anew, or it never is, for it lies below a wrong token.
constexpr u32 WAITS = 1, NEVER = 2;

/// Whether a right response may lie below a token of a node.
DEVICE bool is_open(const Replica &me, u32 node, u32 token) {
    return me.state[node] != NEVER && me.below[node * TILES + token / TILE].x[token % TILE] > 0.0f;
}

/// Chance of a right response below a new node's child by a token, as listed.
DEVICE float listed_below(const Replica &me, u32 h, u32 prefix, u32 token) {
    const u32 child = prefix * ARMS + token;
    if (h + 1 == DEPTH) return is_listed(me, child) ? 1.0f : 0.0f;
    u32 all = 1, shorter = 0, count = 1; // responses; children of shorter prefixes; prefixes of so many tokens
    for (u32 i = 0; i < DEPTH; ++i) all *= ARMS;
    for (u32 i = 0; i < h; ++i) shorter += count *= ARMS;
    return __uint_as_float(me.lists[me.listed_from[0] + (all + 31) / 32 + shorter + child]);
}

/// Notes a new node of depth `h`, and the prefix that leads there.
DEVICE void keep_chances(const Replica &me, u32 h, u32 node, u32 prefix) {
    const u32 above = me.above[node], owner = h == 0 ? node - 1 : me.owner[node];
    if (h > 0 && !is_open(me, above / STRIDE, above % STRIDE)) {
        me.state[node] = NEVER;
        return;
    }
    for (u32 tile = 0; tile < TILES; ++tile) {
        Row below;
        for (u32 k = 0; k < TILE; ++k) {
            const u32 token = tile * TILE + k;
            const float chance = LISTS ? (token < ARMS ? listed_below(me, h, prefix, token) : 0.0f) : me.fresh[(owner * DEPTH + h) * STRIDE + token];
            below.x[k] = chance;
        }
        me.below[node * TILES + tile] = below;
    }
}

/// Notes that a node of depth `h` has moved.
DEVICE void touch(const Replica &me, u32 h, u32 node) {
    if (!KEEPS_SUCCESS || me.state[node]) return;
    me.state[node] = WAITS;
    me.queue[me.first[h] + me.queued[h]] = node;
    me.queued[h] = me.queued[h] + 1;
}

/// Keeps chances of right responses from now on; no step may have been made.
DEVICE void keep_success(const Replica &me) {
    for (u32 owner = 0; owner < DOMAIN_END - DOMAIN_START; ++owner) {
        keep_chances(me, 0, root_of(owner), 0);
        touch(me, 0, root_of(owner));
    }
}

/// The chance of a right response at a node of depth `h`.
DEVICE float chance_at(const Replica &me, u32 h, u32 node) {
    const u32 owner = h == 0 ? node - 1 : me.owner[node];
    const float top = load_node(me, DOMAIN_START + owner, h, node, 0);
    float total = 0.0f, sum = 0.0f;
    UNROLL_ARMS for (u32 tile = 0; tile < TILES; ++tile) {
        const Row below = me.below[node * TILES + tile];
#pragma unroll
        for (u32 k = 0; k < TILE; ++k) {
            const float w = exp2_above(FLOOR, me.logits[tile * TILE + k] - top).value;
            total = total + w;
            sum = fmaf(w, below.x[k], sum);
        }
    }
    return sum / total;
}

/// Computes the chance at every node of depth `h` that waits, and hands it to its parent, which then waits.
DEVICE void compute_stale(const Replica &me, u32 h) {
    for (u32 i = 0; i < me.queued[h]; ++i) {
        const u32 node = me.queue[me.first[h] + i];
        const float chance = chance_at(me, h, node);
        me.state[node] = 0;
        if (h == 0) {
            me.root_chance[node - 1] = chance;
            continue;
        }
        const u32 above = me.above[node], parent = above / STRIDE, token = above % STRIDE;
        me.below[parent * TILES + token / TILE].x[token % TILE] = chance;
        touch(me, h - 1, parent);
    }
    me.queued[h] = 0;
}

/// Mean chance of a right response over the prompts of the domain.
DEVICE float succeed(const Replica &me) {
    for (u32 h = DEPTH; h-- > 0;) compute_stale(me, h);
    float sum = 0.0f;
    for (u32 owner = 0; owner < DOMAIN_END - DOMAIN_START; ++owner) sum = sum + me.root_chance[owner];
    return sum * one_over(DOMAIN_END - DOMAIN_START);
}
