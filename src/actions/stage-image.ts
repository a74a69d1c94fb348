import type { WerfConfig } from "../config/model.js";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { type ProjectSettings, withProject } from "./project.js";
import { type ProvideSettings, provideImages } from "./provide-images.js";
import { checkAddresses, type RegistryAccess, withStores } from "./stores.js";

export interface StageImageSettings
  extends ProjectSettings,
    RegistryAccess,
    Pick<ProvideSettings, "repo" | "platform" | "hostPlatform" | "parallel" | "parallelTasksLimit"> {
  /** May be left out when there is only one. */
  readonly image?: string | undefined;
}

/**
 * `werf stage image`: the address of an image as the repository has it; nothing is built.
 * @throws WerfError `build/not-built`, `actions/image-missing`, `config/no-such-image`
 */
export async function findStageImage(run: RunContext, settings: StageImageSettings): Promise<string> {
  checkAddresses(settings.repo);
  return withProject(run, settings, (project) =>
    withStores(run, settings, async (stores) => {
      const name = settings.image ?? onlyImage(project.config);
      const provided = await provideImages(run, project, stores, {
        ...settings,
        images: [name],
        finalRepo: undefined,
        finalImagesOnly: false,
        addCustomTag: [],
        builder: "auto",
        onlyPublished: true,
      });
      const found = provided.find(({ image }) => image.name === name);
      if (found === undefined) throw new Error(`${name} was asked for, and something else was found`);
      return `${found.image.repository}:${found.image.tag}`;
    }),
  );
}

function onlyImage({ images }: WerfConfig): string {
  const [only] = images;
  if (images.length === 1 && only !== undefined) return only.name;
  throw new WerfError("actions/image-missing", "the name of an image is missing", {
    hint:
      images.length === 0 ? "werf.yaml has no images" : `there are: ${images.map((i) => i.name).join(", ")}`,
    exitCode: 2,
  });
}
