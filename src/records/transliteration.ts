/** Letters that Unicode's decomposition doesn't take apart. */
const special: ReadonlyMap<string, string> = new Map([
  ...pairs("æ=ae ð=o đ=d ħ=h ı=l ĳ=ij ĸ=k ł=l ŉ=n ŋ=n ø=o œ=oe ß=b þ=th ŧ=t ſ=s µ=u ×=x"),
  // Cyrillic; hard and soft sign disappear.
  ...pairs("а=a б=b в=v г=g д=d е=ye ё=yo ж=zh з=z и=i й=j к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=h"),
  ...pairs("ц=c ч=ch ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya"),
]);

const separators = new Set("&({})-_[],.;:=+<>~/ ～＿");

function pairs(text: string): [string, string][] {
  return text.split(" ").map((pair) => pair.split("=") as [string, string]);
}

/** What a slug has for one character: lower-case ASCII letters and digits, "-" for a separator, or nothing. */
export function transliterate(character: string): string {
  if (separators.has(character)) return "-";
  const lower = character.toLowerCase();
  if (/^[a-z0-9]$/.test(lower)) return lower;
  const known = special.get(lower);
  if (known !== undefined) return known;
  // é is e and an accent; ² is 2; Ａ is a.
  const base = lower.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return /^[a-z0-9]+$/.test(base) ? base : "";
}
