import type { FileSystem } from "../../../providers/consumers/file/file-system.ts";

/** What goes wrong below the consumer. The first two are used up by the next replacing of the target. */
export interface DiskTrouble {
  hold?: { arrived(): void; readonly released: Promise<void> } | undefined;
  losesAnswer?: boolean;
  swallows?: boolean;
  isReadOnly?: boolean;
  isFull?: boolean;
}

function fault(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** A real file system with trouble between it and the consumer. */
export function troubled(disk: FileSystem, trouble: DiskTrouble): FileSystem {
  return {
    ...disk,
    async stage(path, bytes, ownership) {
      if (trouble.isReadOnly === true) throw fault("EROFS");
      if (trouble.isFull === true) throw fault("ENOSPC");
      return disk.stage(path, bytes, ownership);
    },
    async replace(staged, target, expected) {
      const { hold, losesAnswer } = trouble;
      trouble.hold = undefined;
      trouble.losesAnswer = false;
      hold?.arrived();
      await hold?.released;
      if (trouble.swallows === true) return "replaced";
      const done = await disk.replace(staged, target, expected);
      if (losesAnswer === true) throw fault("EIO");
      return done;
    },
    isWritable: async (folder) => trouble.isReadOnly !== true && disk.isWritable(folder),
    room: async (folder) => (trouble.isFull === true ? 0 : disk.room(folder)),
  };
}
