/** What kind of thing a name is, for its icon, and what may be looked at in the browser. Pure. */

export type Kind = 'folder' | 'image' | 'video' | 'audio' | 'archive' | 'document' | 'file' | 'text';

const KINDS: Readonly<Record<string, Kind>> = Object.fromEntries(
  Object.entries({
    image: 'png jpg jpeg gif webp avif heic heif bmp tif tiff svg ico raw dng',
    video: 'mp4 m4v mov mkv webm avi mpg mpeg ogv 3gp',
    audio: 'mp3 m4a aac flac wav ogg opus oga wma mid',
    archive: 'zip tar gz tgz bz2 xz zst 7z rar dmg iso deb rpm',
    document: 'pdf doc docx odt rtf txt md html htm epub xls xlsx ods csv ppt pptx odp tex json xml',
  }).flatMap(([kind, endings]) => endings.split(' ').map((ending) => [ending, kind as Kind])),
);

const endingOf = (name: string): string => /\.([a-z0-9]{1,8})$/i.exec(name)?.[1]?.toLowerCase() ?? '';

/** @param name of a folder it ends in '/' */
export function kindOf(name: string): Kind {
  return name.endsWith('/') ? 'folder' : (KINDS[endingOf(name)] ?? 'file');
}

/**
 * What a browser shows without running anything of it, by ending: only these are ever opened from here, and as nothing else. HTML and
 * SVG would be a page of this very site.
 */
const SHOWN: Readonly<Record<string, string>> = {
  ...{ png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp' },
  ...{ avif: 'image/avif', bmp: 'image/bmp', txt: 'text/plain', md: 'text/plain', csv: 'text/plain' },
};

/** The type under which it may be opened; undefined where it may not be. */
export function openAs(name: string): string | undefined {
  return SHOWN[endingOf(name)];
}

/** Formats that browsers can make small pictures of. */
export const isPicture = (name: string): boolean => openAs(name)?.startsWith('image/') ?? false;
