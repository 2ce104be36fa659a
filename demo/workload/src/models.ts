/** A model of a real provider. The fake model imitates its speed and the length of its answers. */
export interface Model {
  name: string;
  provider: string;
  /** The dated model name that the provider returns. */
  responseName: string;
  firstTokenMs: number;
  tokensPerSecond: number;
  meanOutputTokens: number;
}

export const EMBEDDING_MODEL: Model = {
  name: 'text-embedding-3-small',
  provider: 'openai',
  responseName: 'text-embedding-3-small',
  firstTokenMs: 25,
  tokensPerSecond: 0,
  meanOutputTokens: 0,
};

export const MODELS: readonly Model[] = [
  {
    name: 'gpt-4o-mini',
    provider: 'openai',
    responseName: 'gpt-4o-mini-2024-07-18',
    firstTokenMs: 280,
    tokensPerSecond: 160,
    meanOutputTokens: 130,
  },
  {
    name: 'gpt-4o',
    provider: 'openai',
    responseName: 'gpt-4o-2024-08-06',
    firstTokenMs: 420,
    tokensPerSecond: 150,
    meanOutputTokens: 220,
  },
  {
    name: 'claude-sonnet-4',
    provider: 'anthropic',
    responseName: 'claude-sonnet-4-20250514',
    firstTokenMs: 650,
    tokensPerSecond: 140,
    meanOutputTokens: 290,
  },
  {
    name: 'gemini-2.5-flash',
    provider: 'gcp.gemini',
    responseName: 'gemini-2.5-flash',
    firstTokenMs: 220,
    tokensPerSecond: 260,
    meanOutputTokens: 170,
  },
];

export function modelNamed(name: string | undefined): Model | undefined {
  return MODELS.find((model) => model.name === name);
}

/** A kind of user: its share of all questions, the models it uses and the chunks sent with each question. */
export interface Persona {
  name: string;
  share: number;
  models: readonly (readonly [model: string, share: number])[];
  topK: number;
}

export const PERSONAS: readonly Persona[] = [
  {
    name: 'support-agent',
    share: 0.6,
    topK: 3,
    models: [
      ['gpt-4o-mini', 0.75],
      ['gemini-2.5-flash', 0.25],
    ],
  },
  { name: 'analyst', share: 0.25, topK: 8, models: [['gpt-4o', 1]] },
  { name: 'writer', share: 0.15, topK: 5, models: [['claude-sonnet-4', 1]] },
];

/** Draws one item, weighted by share. Shares need not add up to 1. */
export function pick<T>(items: readonly T[], share: (item: T) => number, random: () => number): T {
  let left = random() * items.reduce((sum, item) => sum + share(item), 0);
  for (const item of items) {
    left -= share(item);
    if (left < 0) return item;
  }
  const last = items.at(-1);
  if (last === undefined) throw new Error('nothing to pick from');
  return last;
}
