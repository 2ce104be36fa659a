/** Colours by meaning; src/ui owns the library that makes them. */
export interface Paint {
  ok: (text: string) => string;
  warn: (text: string) => string;
  fail: (text: string) => string;
  dim: (text: string) => string;
  bold: (text: string) => string;
}
