import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, parseDuration, parseQuantity, quantity } from '../../src/core/quantity.ts';
import { list, oneLine, percent, plural } from '../../src/core/text.ts';

describe('Kubernetes quantities', () => {
  it.each([
    ['100n', 1e-7],
    ['250u', 0.00025],
    ['250m', 0.25],
    ['2', 2],
    ['.5', 0.5],
    ['1.5k', 1500],
    ['3M', 3e6],
    ['4G', 4e9],
    ['5T', 5e12],
    ['6P', 6e15],
    ['7E', 7e18],
    ['1Ki', 1024],
    ['512Mi', 2 ** 29],
    ['8Gi', 2 ** 33],
    ['2Ti', 2 ** 41],
    ['1Pi', 2 ** 50],
    ['1Ei', 2 ** 60],
    ['1e3', 1000],
    ['12E2', 1200],
    ['5e-1', 0.5],
    ['-1', -1],
    [1073741824, 2 ** 30],
  ])('parses %s', (text, value) => expect(parseQuantity(text)).toBe(value));

  it.each(['', 'x', '1 Gi', '1gi', '1KiB', '1mm', 'e3', undefined])('rejects %s', (text) =>
    expect(parseQuantity(text)).toBeUndefined(),
  );

  it('counts an absent quantity as 0 and throws on text that is none', () => {
    expect(quantity(undefined)).toBe(0);
    expect(() => quantity('8 GB')).toThrow('not a quantity: 8 GB');
  });

  it.each([
    [0, '0 KiB'],
    [12_288, '12 KiB'],
    [320 * 2 ** 20, '320 MiB'],
    [1.5 * 2 ** 30, '1.5 GiB'],
    [40 * 2 ** 30, '40 GiB'],
    [2 * 2 ** 40, '2.0 TiB'],
  ])('prints %d bytes as %s', (count, text) => expect(formatBytes(count)).toBe(text));
});

describe('durations', () => {
  it.each([
    ['0', 0],
    ['500ms', 0.5],
    ['30s', 30],
    ['1h30m', 5400],
    ['1.5h', 5400],
    ['360h0m0s', 1_296_000],
    ['15d', 1_296_000],
    ['1w2d', 777_600],
    ['1y', 31_536_000],
    ['10us', 1e-5],
  ])('parses %s', (text, seconds) => expect(parseDuration(text)).toBeCloseTo(seconds, 9));

  it.each(['', '15', '15 d', 'd15', '1h-3m', '1x', undefined])('rejects %s', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it.each([
    [0, '0 s'],
    [119, '119 s'],
    [600, '10 min'],
    [7200, '2 h'],
    [259_200, '3 days'],
  ])('prints %d seconds as %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('text of messages', () => {
  it.each([
    [1, 'node', '1 node'],
    [2, 'node', '2 nodes'],
    [2, 'Ingress', '2 Ingresses'],
    [2, 'NetworkPolicy', '2 NetworkPolicies'],
    [2, 'gateway', '2 gateways'],
    [3, 'series', '3 series'],
  ])('plural(%d, %s)', (count, noun, text) => expect(plural(count, noun)).toBe(text));

  it('lists the first items and counts the rest', () => {
    expect(list(['a', 'b'])).toBe('a, b');
    expect(list(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  });

  it('shortens to one line', () => {
    expect(oneLine(' a\n  b ')).toBe('a b');
    expect(oneLine('abcdef', 4)).toBe('abc…');
  });

  it('prints shares', () => {
    expect([percent(0), percent(0.004), percent(0.123), percent(1)]).toEqual(['0 %', '0.4 %', '12 %', '100 %']);
  });
});
