import { describe, expect, it } from "vitest";
import { isWerfError, type WerfError } from "../core/errors.js";
import { type RenderOptions, renderTemplate, type TemplateSource } from "./render.js";

async function render(text: string, options: Partial<RenderOptions> = {}): Promise<string> {
  return renderTemplate(
    { name: "werf.yaml", text },
    { data: { Env: "prod", m: { a: 1, b: "x" } }, ...options },
  );
}

async function failureOf(text: string, options: Partial<RenderOptions> = {}): Promise<WerfError> {
  const error = await render(text, options).catch((cause: unknown) => cause);
  if (!isWerfError(error)) throw error;
  return error;
}

const methods: RenderOptions["methods"] = {
  "Files.Get": (path) => `<${String(path)}>`,
  "Files.Glob": () => ({ b: "2", a: "1" }),
};

describe("renderTemplate", () => {
  it("leaves text without actions as it is", async () => {
    expect(await render("a: 1 }} # {\n")).toBe("a: 1 }} # {\n");
  });

  it.each([
    ["{{ .Env }}", "prod"],
    ["a {{- /* }} */ -}} b", "ab"],
    ['{{ if eq .Env "prod" }}P{{ else }}D{{ end }}', "P"],
    ["{{ range $i, $x := list 1 2 }}{{ $i }}={{ $x }};{{ end }}", "0=1;1=2;"],
    ['{{ $d := dict "k" "v" }}{{ set $d "l" "w" | toYaml }}', "k: v\nl: w"],
    ['{{ .missing | default "none" | quote }}', '"none"'],
    ['{{ "a-b" | replace "-" "_" | upper }}', "A_B"],
    ['{{ "x" | nindent 2 }}', "\n  x"],
    ['{{ ternary "y" "n" true }}', "y"],
    [
      '{{ base "a/b.c" }} {{ dir "a/b/c" }} {{ ext "x.tar.gz" }} {{ clean "a//b/" }} {{ isAbs "/a" }}',
      "b.c a/b .gz a/b true",
    ],
    ['{{ mustRegexMatch "^a+$" "aa" }} {{ trimall "$" "$a$" }}', "true a"],
    ['{{ (fromYaml "a: {b: yes}").a.b }}', "true"],
    ["{{ toYaml .m }}", "a: 1\nb: x"],
    ['{{ toYaml (list "yes" "1" "a: b") }}', '- "yes"\n- "1"\n- "a: b"'],
    ['{{ required "needed" .Env }}', "prod"],
    ['{{ tpl "{{ .x }}" (dict "x" 5) }}', "5"],
    ['{{ define "t" }}[{{ . }}{{ $ }}]{{ end }}{{ include "t" 1 }}{{ template "t" 2 }}', "[11][22]"],
    [
      '{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" .Env | upper }}!{{- template "t" 1 | add 1 -}} ?',
      "[PROD]![2]?",
    ],
    ["{{ $x := 1 }}{{ range list 1 2 }}{{ $x = add $x . }}{{ end }}{{ $x }}", "4"],
    ["{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x = 3 }}{{ end }}{{ $x }}", "1"],
    ["{{ $x := 1 }}{{ with .Env }}{{ if true }}{{ $x = . }}{{ end }}{{ end }}{{ $x }}", "prod"],
    ['{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "$' + '{1}W$1W$$" }}', "-W$-xxW$-"],
    ['{{ regexReplaceAll "(?P<k>.)=(.)" "a=b" "$' + '{k}:$2" }}', "a:b"],
    ['{{ regexReplaceAllLiteral "a." "axay" "$1" }}', "$1$1"],
    ['{{ regexMatch "(?i)B" "abc" }} {{ regexMatch "^b" "abc" }}', "true false"],
    ['{{ regexFind "[a-z]+" "1ab2" }}{{ regexFind "x" "a" }} {{ regexFindAll `\\d` "1a2b3" 2 }}', "ab [1 2]"],
    [
      '{{ regexSplit "," "a,b,c" -1 }} {{ regexSplit "," "a,b,c" 2 }} {{ regexSplit "," "a" 0 }}',
      "[a b c] [a b,c] []",
    ],
    ['{{ osBase "a/b" }}', "b"],
    ['{{ include_debug "t" 1 }}{{ printf_debug "%s" 1 }}{{ define "t" }}{{ . }}{{ end }}', "1"],
  ])("%s", async (text, expected) => {
    expect(await render(text)).toBe(expected);
  });

  it.each([
    ['{{ .Files.Get "a b" }}', "<a b>"],
    ['{{.Files.Get "a"|upper}}', "<A>"],
    ['{{ range .m }}{{ $.Files.Get "x" }}{{ end }}', "<x><x>"],
    ['{{ "p" | .Files.Get }}', "<p>"],
    [
      '{{ $r := . }}{{ $r.Files.Get "a" }}{{ with (dict "root" .) }}{{ .root.Files.Get "b" }}{{ end }}',
      "<a><b>",
    ],
    ['{{ range $k, $v := .Files.Glob "*" }}{{ $k }}{{ $v }}{{ end }}', "a1b2"],
    ['{{ printf "%s" (.Files.Get (printf "%s.txt" .Env)) }}', "<prod.txt>"],
    ['{{ print ".Files.Get" `.Files.Get` }} .Files.Get', ".Files.Get.Files.Get .Files.Get"],
  ])("calls methods: %s", async (text, expected) => {
    expect(await render(text, { methods, data: { Env: "prod", m: { a: 1, b: 2 }, Files: {} } })).toBe(
      expected,
    );
  });

  it("shares templates and their defines, whatever their order", async () => {
    const templates: TemplateSource[] = [
      {
        name: "a/first.tmpl",
        text: '{{ define "one" }}1{{ include "two" . }}{{ end }}file {{ template "two" . }}',
      },
      { name: "second.tmpl", text: '{{ define "two" }}2{{ template "main" . }}{{ end }}' },
    ];
    const text = '{{ define "main" }}{{ .Env }}{{ end }}{{ include "one" . }} {{ include "a/first.tmpl" . }}';
    expect(await render(text, { templates })).toBe("12prod file 2prod");
    expect(await render('{{ template "a/first.tmpl" . }}{{ define "main" }}{{ end }}', { templates })).toBe(
      "file 2",
    );
  });

  it("takes the time from outside", async () => {
    const now = (): Date => new Date("2024-05-06T07:08:09Z");
    expect(await render('{{ dateInZone "2006-01-02" now "UTC" }}', { now })).toBe("2024-05-06");
  });
});

describe("failures", () => {
  it.each([
    ["a\n  {{ if }}", "template/invalid", /^werf\.yaml:2:9: /],
    ["{{ if true }}", "template/invalid", /^werf\.yaml:1:/],
    ["a\n{{ qoute 1 }}", "template/failed", /^werf\.yaml:2:4: .*"qoute"/],
    ['{{ required "set TAG" .tag }}', "template/failed", /^werf\.yaml:1:4: required: set TAG$/],
    ["{{ $y = 1 }}", "template/failed", /^werf\.yaml:1:.*undefined variable \$y/],
    ['{{ regexMatch "a(?=b)" "a" }}', "template/failed", /^werf\.yaml:1:4: .*look-around/],
    ['a\n\n{{ fail "no" }}', "template/failed", /^werf\.yaml:3:4: .*no/],
    ['{{ fromYaml "- a" }}', "template/failed", /^werf\.yaml:1:4: fromYaml: it is not a mapping$/],
    ['{{ include "nope" . }}', "template/failed", /^werf\.yaml:1:4: include: there is no template "nope"$/],
    ['{{ tpl "{{ fail `x` }}" . }}', "template/failed", /^the text given to tpl:1:4: x$/],
    [
      '{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}',
      "template/failed",
      /more than 200 times deep$/,
    ],
    ['{{ boom "x" }}', "template/failed", /^werf\.yaml:1:4: boom: no x$/],
  ] as const)("of %s are told with their place", async (text, code, message) => {
    const boom = (what: unknown): never => {
      throw new Error(`no ${String(what)}`);
    };
    const error = await failureOf(text, { functions: { boom } });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it("name the file that was included", async () => {
    const templates = [{ name: "x.tmpl", text: '{{ define "x" }}\n{{ required "no y" .y }}{{ end }}' }];
    expect((await failureOf('\n\n{{ include "x" . }}', { templates })).message).toBe(
      "x.tmpl:2:4: required: no y",
    );
    expect(
      (await failureOf("{{ 1 }}", { templates: [{ name: "y.tmpl", text: "{{ end }}" }] })).message,
    ).toMatch(/^y\.tmpl:1:1: /);
  });
});

describe("JavaScript behind the templates", () => {
  it.each([
    '{{ call .m.constructor.constructor "return 1" }}',
    '{{ set .m.constructor.prototype "polluted" "yes" }}',
    '{{ set (now).constructor.prototype "polluted" "yes" }}',
    '{{ set (list).constructor.prototype "polluted" "yes" }}',
    '{{ merge .m.constructor.prototype (dict "polluted" "yes") }}',
    "{{ toYaml .m.constructor }}",
  ])("can't be called or changed by %s", async (text) => {
    expect((await failureOf(text)).code).toBe("template/failed");
    expect("polluted" in {}).toBe(false);
    expect("polluted" in new Date()).toBe(false);
  });

  it("can't be reached by keys", async () => {
    await render(
      '{{ $d := dict "__proto__" (dict "polluted" 1) }}{{ $d = merge (dict) $d }}{{ set $d "__proto__" $d }}',
    ).catch(() => undefined);
    await render(
      '{{ $d := fromYaml "__proto__: {polluted: 1}" }}{{ merge (dict) $d }}{{ mergeOverwrite (dict) $d }}',
    ).catch(() => undefined);
    await render(
      '{{ $d := fromJson "{\\"__proto__\\": {\\"polluted\\": 1}}" }}{{ mergeOverwrite (dict "a" (dict)) $d }}',
    ).catch(() => undefined);
    expect("polluted" in {}).toBe(false);
  });
});
