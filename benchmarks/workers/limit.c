/* The limit of the benchmark: loops written by hand for one model each, float32, one core per simulation.
 *
 * gcc -O3 -march=native -ffast-math -fopenmp -shared -fPIC
 *
 * Noise: sixteen xoshiro128+ generators side by side (Blackman, Vigna 2021) and Box-Muller, drawn in the loop.
 * Delays: the past lies by source, and what comes over delays of at least BLOCK steps is worked out BLOCK steps ahead.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define BLOCK 16
#define PI 3.14159265358979f
#define PADDED(n) (((n) + LANES - 1) / LANES * LANES)

typedef struct {
    uint32_t s[4][LANES];
} generator;

static float *array(int m, float value) {
    float *x = aligned_alloc(64, m * sizeof(float));
    for (int i = 0; i < m; i++) x[i] = value;
    return x;
}

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void seed(generator *g, uint64_t x) {
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < LANES; i++)
            g->s[k][i] = (uint32_t)(splitmix(&x) >> 32);
}

static inline void words(generator *g, uint32_t *out) {
    for (int i = 0; i < LANES; i++) {
        uint32_t a = g->s[0][i], b = g->s[1][i], c = g->s[2][i], d = g->s[3][i];
        out[i] = a + d;
        uint32_t t = b << 9;
        c ^= a, d ^= b, b ^= c, a ^= d, c ^= t, d = (d << 11) | (d >> 21);
        g->s[0][i] = a, g->s[1][i] = b, g->s[2][i] = c, g->s[3][i] = d;
    }
}

/* n normals of this standard deviation; n is a multiple of 2 * LANES */
static void normals(generator *g, int n, float sigma, float *out) {
    uint32_t u[LANES], v[LANES];
    for (int k = 0; k < n; k += 2 * LANES) {
        words(g, u), words(g, v);
        for (int i = 0; i < LANES; i++) {
            float x = ((int32_t)(u[i] >> 9) + 1) * 0x1p-23f, y = (int32_t)(v[i] >> 9) * (2 * PI * 0x1p-23f);
            float radius = sigma * sqrtf(-2 * logf(x));
            out[k + i] = radius * sinf(y + PI / 2), out[k + LANES + i] = radius * sinf(y);
        }
    }
}

typedef float wide __attribute__((vector_size(64)));
typedef float wide_anywhere __attribute__((vector_size(64), aligned(4)));

/* y = scale * W x, for the columns of W, each padded with zeros */
static inline void product(int n, int m, const float *restrict w, const float *restrict x, float scale,
                           float *restrict y) {
    for (int i = 0; i < m; i += 2 * LANES) {
        int both = i + LANES < m;
        wide a = {0}, b = {0}, c = {0}, d = {0};
        for (int j = 0; j < n; j += 2) { /* four sums: one alone would wait for itself */
            const float *row = w + (long)j * m + i;
            a += x[j] * *(const wide *)row, c += x[j + 1] * *(const wide *)(row + m);
            if (both) b += x[j] * *(const wide *)(row + LANES), d += x[j + 1] * *(const wide *)(row + m + LANES);
        }
        *(wide *)(y + i) = scale * (a + c);
        if (both) *(wide *)(y + i + LANES) = scale * (b + d);
    }
}

static float *columns(int n, int m, const float *w) {
    float *out = array((n + n % 2) * m, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) out[(size_t)j * m + i] = w[(size_t)i * n + j];
    return out;
}

/* --- Montbrio-Pazo-Roxin ---------------------------------------------------------------------------------------- */
typedef struct {
    float tau, eta, delta, J, coupling, dt, sigma_r, sigma_v;
} mpr;

static inline void rates(const mpr *p, int m, const float *restrict r, const float *restrict v,
                         const float *restrict c, float *restrict dr, float *restrict dv) {
    float start = p->delta / (PI * p->tau) / p->tau, inverse = 1 / p->tau;
    for (int i = 0; i < m; i++) {
        float x = r[i], y = v[i];
        dr[i] = start + 2 * x * y * inverse;
        dv[i] = (y * y + p->eta + c[i] + p->J * p->tau * x - (PI * p->tau * x) * (PI * p->tau * x)) * inverse;
    }
}

/* Balloon-Windkessel of Friston 2003, one Euler step a call */
typedef struct {
    float *s, *f, *v, *q;
} balloon;

static void balloon_step(balloon *b, int m, const float *x, float dt) {
    const float kappa = 0.65f, gamma = 0.41f, tau = 0.98f, alpha = 0.32f, rho = 0.34f;
    for (int i = 0; i < m; i++) {
        float s = b->s[i], f = b->f[i], v = b->v[i], q = b->q[i], out = expf(logf(v) / alpha);
        float taken = (1 - expf(logf(1 - rho) / f)) / rho;
        b->s[i] = s + dt * (x[i] - kappa * s - gamma * (f - 1));
        b->f[i] = f + dt * s;
        b->v[i] = v + dt * (f - out) / tau;
        b->q[i] = q + dt * (f * taken - out * q / v) / tau;
    }
}

static float bold_of(const balloon *b, int i) {
    const float rho = 0.34f, v0 = 0.02f;
    return v0 * (7 * rho * (1 - b->q[i]) + 2 * (1 - b->q[i] / b->v[i]) + (2 * rho - 0.2f) * (1 - b->v[i]));
}

/* W3 n x n row-major weights; `out` (samples, 2, n) keeps every `every`-th step; `bold` 0 or 1: a sample is then (1, n),
   the BOLD signal, whose states take a step of `bold_dt` seconds every `every` steps and which is kept every `keep` */
static void run_mpr(const mpr *p, int n, const float *columns_of_w, long steps, int every, int bold, int keep,
                    float bold_dt, uint64_t number, float *out) {
    int m = PADDED(n), pairs = (2 * m + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
    float *r = array(m, 0.02f), *v = array(m, 0.02f), *r1 = array(m, 0), *v1 = array(m, 0), *c = array(m, 0);
    float *dr = array(m, 0), *dv = array(m, 0), *er = array(m, 0), *ev = array(m, 0), *z = array(pairs, 0);
    balloon b = {array(m, 0), array(m, 1), array(m, 1), array(m, 1)};
    generator g;
    seed(&g, number);
    float root = p->sigma_r * sqrtf(p->dt), ratio = p->sigma_v / p->sigma_r, half = p->dt / 2;
    long kept = 0;
    for (long t = 1; t <= steps; t++) {
        normals(&g, pairs, root, z);
        product(n, m, columns_of_w, r, p->coupling, c);
        rates(p, m, r, v, c, dr, dv);
        for (int i = 0; i < m; i++) {
            r1[i] = r[i] + p->dt * dr[i] + z[i];
            v1[i] = v[i] + p->dt * dv[i] + ratio * z[m + i];
        }
        product(n, m, columns_of_w, r1, p->coupling, c);
        rates(p, m, r1, v1, c, er, ev);
        for (int i = 0; i < m; i++) {
            r[i] += half * (dr[i] + er[i]) + z[i];
            v[i] += half * (dv[i] + ev[i]) + ratio * z[m + i];
        }
        if (t % every) continue;
        if (!bold) {
            memcpy(out + (2 * kept) * n, r, n * sizeof(float));
            memcpy(out + (2 * kept + 1) * n, v, n * sizeof(float));
            kept++;
            continue;
        }
        balloon_step(&b, m, r, bold_dt);
        if (t % keep == 0) {
            for (int i = 0; i < n; i++) out[kept * n + i] = bold_of(&b, i);
            kept++;
        }
    }
    free(r), free(v), free(r1), free(v1), free(c), free(dr), free(dv), free(er), free(ev), free(z);
    free(b.s), free(b.f), free(b.v), free(b.q);
}

void network(const mpr *p, int n, const float *w, long steps, int every, int bold, int keep, float bold_dt, float *out) {
    float *turned = columns(n, PADDED(n), w);
    run_mpr(p, n, turned, steps, every, bold, keep, bold_dt, 1, out);
    free(turned);
}

/* many simulations, each with a coupling and noise of its own; `out` (simulations, samples, 2, n) */
void sweep(const mpr *p, const float *couplings, int simulations, int n, const float *w, long steps, int every,
           float *out) {
    float *turned = columns(n, PADDED(n), w);
    long size = steps / every * 2 * n;
#pragma omp parallel for schedule(dynamic)
    for (int k = 0; k < simulations; k++) {
        mpr own = *p;
        own.coupling = couplings[k];
        run_mpr(&own, n, turned, steps, every, 0, 0, 0, k + 1, out + k * size);
    }
    free(turned);
}

/* delays `d` (n, n) in whole steps, 1 at least, without noise; what arrives at the end of a step is that of the start
   of the next. In each step one BLOCK-th of the sources adds what it has under way for the next BLOCK steps. */
void delayed(const mpr *p, int n, const float *w, const int *d, long steps, int every, float *out) {
    int m = PADDED(n), longest = 0, part = (n + BLOCK - 1) / BLOCK;
    for (long k = 0; k < (long)n * n; k++) longest = d[k] > longest ? d[k] : longest;
    int kept_back = longest + BLOCK, ring = 2 * kept_back; /* moved back to the start when full */
    float *past = array(n * ring, 0.02f), *ahead = array(2 * BLOCK * n, 0), *far_w = array(n * n, 0);
    float *near_w = array(n * n, 0), *recent = array(BLOCK * n, 0.02f); /* the last BLOCK steps once more, by time */
    int *far_d = malloc((size_t)n * n * sizeof(int)), *near = malloc((size_t)n * n * sizeof(int));
    int *near_d = malloc((size_t)n * n * sizeof(int)), *count = calloc(n, sizeof(int));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int far = d[i * n + j] >= BLOCK;
            far_w[j * n + i] = far ? w[i * n + j] : 0; /* by source */
            far_d[j * n + i] = far ? d[i * n + j] : BLOCK;
            if (far || w[i * n + j] == 0) continue;
            near_w[i * n + count[i]] = w[i * n + j], near_d[i * n + count[i]] = d[i * n + j];
            near[i * n + count[i]++] = j;
        }
    float *r = array(m, 0.02f), *v = array(m, 0.02f), *r1 = array(m, 0), *v1 = array(m, 0);
    float *dr = array(m, 0), *dv = array(m, 0), *er = array(m, 0), *ev = array(m, 0), *c = array(m, 0), *e = array(m, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            c[i] += p->coupling * w[i * n + j] * 0.02f;
            /* before the turn of source j comes, in step j / part + 1 */
            for (int k = 1; k < j / part + 1; k++) ahead[2 * BLOCK * i + k] += far_w[j * n + i] * 0.02f;
        }
    int at = kept_back; /* where the next value goes; before it lies the past */
    float half = p->dt / 2;
    long kept = 0;
    for (long t = 1; t <= steps; t++) {
        if (at == ring) {
            for (int j = 0; j < n; j++)
                memcpy(past + (long)j * ring, past + (long)j * ring + kept_back, kept_back * sizeof(float));
            at = kept_back;
        }
        for (int j = 0; j < n; j++) past[(long)j * ring + at] = r[j];
        memcpy(recent + (t + BLOCK - 1) % BLOCK * n, r, n * sizeof(float));
        at++;
        int phase = t % BLOCK, turn = (t - 1) % BLOCK;
        if (phase == 0)
            for (int i = 0; i < n; i++) {
                *(wide *)(ahead + 2 * BLOCK * i) = *(wide *)(ahead + 2 * BLOCK * i + BLOCK);
                *(wide *)(ahead + 2 * BLOCK * i + BLOCK) = (wide){0};
            }
        for (int j = turn * part; j < (turn + 1) * part && j < n; j++) {
            const float *line = past + (long)j * ring + at, *weight = far_w + (long)j * n;
            const int *back = far_d + (long)j * n;
            for (int i = 0; i < n; i++)
                *(wide_anywhere *)(ahead + 2 * BLOCK * i + phase) += weight[i] * *(const wide_anywhere *)(line - back[i]);
        }
        for (int i = 0; i < n; i++) {
            float sum = ahead[2 * BLOCK * i + phase];
            for (int k = 0; k < count[i]; k++) {
                int at_k = i * n + k;
                sum += near_w[at_k] * recent[(int)((t + BLOCK - near_d[at_k]) % BLOCK) * n + near[at_k]];
            }
            e[i] = p->coupling * sum;
        }
        rates(p, m, r, v, c, dr, dv);
        for (int i = 0; i < m; i++) r1[i] = r[i] + p->dt * dr[i], v1[i] = v[i] + p->dt * dv[i];
        rates(p, m, r1, v1, e, er, ev);
        for (int i = 0; i < m; i++) r[i] += half * (dr[i] + er[i]), v[i] += half * (dv[i] + ev[i]);
        memcpy(c, e, m * sizeof(float));
        if (t % every == 0) {
            memcpy(out + (2 * kept) * n, r, n * sizeof(float));
            memcpy(out + (2 * kept + 1) * n, v, n * sizeof(float));
            kept++;
        }
    }
    free(past), free(ahead), free(far_w), free(far_d), free(near), free(near_w), free(near_d), free(recent), free(count), free(r), free(v), free(r1), free(v1);
    free(dr), free(dv), free(er), free(ev), free(c), free(e);
}
