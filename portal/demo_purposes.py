"""What the demo's mini-programs ask for details for, in every language of the portal."""

LANGUAGES = ("en", "zh-hans", "id", "fil", "ms", "th", "ar")
Words = dict[str, str]  # {language: text}


def _said(*texts: str) -> Words:
    """One purpose, in the order of LANGUAGES."""
    return dict(zip(LANGUAGES, texts, strict=True))


ORDERS = {
    "auth_user": _said(
        "To set up your account in one step",
        "用于一步完成账户开通",
        "Untuk membuat akun Anda dalam satu langkah",
        "Para mabuo ang account mo sa isang hakbang",
        "Untuk menyediakan akaun anda dalam satu langkah",
        "เพื่อสร้างบัญชีของคุณในขั้นตอนเดียว",
        "لإنشاء حسابك في خطوة واحدة",
    ),
    "SEND_MESSAGE": _said(
        "To tell you when your order is ready",
        "用于在餐点做好时通知您",
        "Untuk memberi tahu saat pesanan Anda siap",
        "Para sabihan ka kapag handa na ang order mo",
        "Untuk memberitahu anda apabila pesanan anda siap",
        "เพื่อแจ้งให้คุณทราบเมื่อคำสั่งซื้อพร้อมแล้ว",
        "لإخبارك عندما يصبح طلبك جاهزًا",
    ),
    "USER_NICKNAME": _said(
        "So the barista can call you",
        "方便咖啡师叫您取餐",
        "Supaya barista bisa memanggil Anda",
        "Para matawag ka ng barista",
        "Supaya barista boleh memanggil anda",
        "เพื่อให้บาริสต้าเรียกคุณได้",
        "ليتمكن معدّ القهوة من مناداتك",
    ),
    "USER_NAME": _said(
        "To print your name on the receipt",
        "用于在小票上打印您的姓名",
        "Untuk mencetak nama Anda di struk",
        "Para mailagay ang pangalan mo sa resibo",
        "Untuk mencetak nama anda pada resit",
        "เพื่อพิมพ์ชื่อของคุณบนใบเสร็จ",
        "لطباعة اسمك على الإيصال",
    ),
    "USER_LOGIN_ID": _said(
        "To show which account you ordered with",
        "用于显示您用哪个账户下的单",
        "Untuk menunjukkan akun mana yang Anda pakai memesan",
        "Para ipakita kung aling account ang ginamit mo sa pag-order",
        "Untuk menunjukkan akaun yang anda gunakan semasa membuat pesanan",
        "เพื่อแสดงว่าคุณสั่งซื้อด้วยบัญชีใด",
        "لإظهار الحساب الذي طلبت به",
    ),
    "PLAINTEXT_USER_LOGIN_ID": _said(
        "To send your receipt",
        "用于给您发送收据",
        "Untuk mengirim struk Anda",
        "Para maipadala ang resibo mo",
        "Untuk menghantar resit anda",
        "เพื่อส่งใบเสร็จให้คุณ",
        "لإرسال إيصالك إليك",
    ),
    "HASH_LOGIN_ID": _said(
        "To find the loyalty card you already have",
        "用于查找您已有的会员卡",
        "Untuk menemukan kartu pelanggan yang sudah Anda miliki",
        "Para mahanap ang loyalty card na mayroon ka na",
        "Untuk mencari kad kesetiaan yang sudah anda miliki",
        "เพื่อค้นหาบัตรสมาชิกที่คุณมีอยู่แล้ว",
        "للعثور على بطاقة الولاء التي لديك",
    ),
    "USER_AVATAR": _said(
        "To show your picture on the pick-up screen",
        "用于在取餐屏上显示您的头像",
        "Untuk menampilkan foto Anda di layar pengambilan",
        "Para ipakita ang litrato mo sa pick-up screen",
        "Untuk memaparkan gambar anda pada skrin pengambilan",
        "เพื่อแสดงรูปของคุณบนหน้าจอรับสินค้า",
        "لعرض صورتك على شاشة الاستلام",
    ),
    "USER_GENDER": _said(
        "To choose how we address you",
        "用于选择对您的称呼",
        "Untuk memilih sapaan yang tepat bagi Anda",
        "Para malaman kung paano ka tatawagin",
        "Untuk memilih cara kami menyapa anda",
        "เพื่อเลือกคำเรียกที่เหมาะกับคุณ",
        "لاختيار طريقة مخاطبتك",
    ),
    "USER_BIRTHDAY": _said(
        "For a free cup on your birthday",
        "用于在您生日时送您一杯饮品",
        "Untuk secangkir gratis di hari ulang tahun Anda",
        "Para sa isang libreng tasa sa kaarawan mo",
        "Untuk secawan percuma pada hari jadi anda",
        "เพื่อมอบเครื่องดื่มฟรีหนึ่งแก้วในวันเกิดของคุณ",
        "لكوب مجاني في عيد ميلادك",
    ),
    "USER_NATIONALITY": _said(
        "To pick the menu's language",
        "用于选择菜单的语言",
        "Untuk memilih bahasa menu",
        "Para piliin ang wika ng menu",
        "Untuk memilih bahasa menu",
        "เพื่อเลือกภาษาของเมนู",
        "لاختيار لغة القائمة",
    ),
    "USER_CONTACTINFO": _said(
        "To reach you about an order",
        "用于就订单与您联系",
        "Untuk menghubungi Anda soal pesanan",
        "Para makontak ka tungkol sa isang order",
        "Untuk menghubungi anda tentang pesanan",
        "เพื่อติดต่อคุณเกี่ยวกับคำสั่งซื้อ",
        "للتواصل معك بشأن طلب",
    ),
    "USER_ADDRESS": _said(
        "To deliver your order",
        "用于为您送餐",
        "Untuk mengantar pesanan Anda",
        "Para maihatid ang order mo",
        "Untuk menghantar pesanan anda",
        "เพื่อจัดส่งคำสั่งซื้อของคุณ",
        "لتوصيل طلبك",
    ),
    "PLAINTEXT_MOBILE_PHONE": _said(
        "Only if the courier can't find you",
        "仅在配送员找不到您时使用",
        "Hanya jika kurir tidak menemukan Anda",
        "Kung hindi ka lang mahanap ng courier",
        "Hanya jika penghantar tidak dapat mencari anda",
        "ใช้เฉพาะเมื่อพนักงานส่งหาคุณไม่พบ",
        "فقط إذا لم يتمكن المندوب من العثور عليك",
    ),
}

# --- Of the mini-programs that `seed_demo --showcase` adds ------------------------------------------------------

RIDES = {
    "USER_NICKNAME": _said(
        "So your driver knows who to look for",
        "方便司机找到您",
        "Supaya pengemudi tahu siapa yang dicari",
        "Para alam ng driver kung sino ang hahanapin",
        "Supaya pemandu tahu siapa yang perlu dicari",
        "เพื่อให้คนขับรู้ว่าต้องมองหาใคร",
        "ليعرف السائق عمّن يبحث",
    ),
    "PLAINTEXT_MOBILE_PHONE": _said(
        "So your driver can call you at the pick-up point",
        "方便司机在上车点给您打电话",
        "Supaya pengemudi bisa menelepon Anda di titik jemput",
        "Para matawagan ka ng driver sa sakayan",
        "Supaya pemandu boleh menelefon anda di tempat ambil",
        "เพื่อให้คนขับโทรหาคุณที่จุดรับได้",
        "ليتمكن السائق من الاتصال بك في نقطة اللقاء",
    ),
}
MARKET = {
    "USER_NAME": _said(
        "To write your name on the parcel",
        "用于在包裹上写您的姓名",
        "Untuk menulis nama Anda di paket",
        "Para isulat ang pangalan mo sa parsela",
        "Untuk menulis nama anda pada bungkusan",
        "เพื่อเขียนชื่อของคุณบนพัสดุ",
        "لكتابة اسمك على الطرد",
    ),
    "USER_ADDRESS": _said(
        "To deliver your groceries",
        "用于为您配送生鲜杂货",
        "Untuk mengantar belanjaan Anda",
        "Para maihatid ang mga pinamili mo",
        "Untuk menghantar barangan runcit anda",
        "เพื่อจัดส่งของสดของใช้ให้คุณ",
        "لتوصيل مشترياتك",
    ),
}
FITNESS = {
    "USER_NICKNAME": _said(
        "To show your name among your friends",
        "用于在好友之间显示您的名字",
        "Untuk menampilkan nama Anda di antara teman",
        "Para ipakita ang pangalan mo sa mga kaibigan",
        "Untuk memaparkan nama anda di kalangan rakan",
        "เพื่อแสดงชื่อของคุณในกลุ่มเพื่อน",
        "لإظهار اسمك بين أصدقائك",
    ),
    "USER_GENDER": _said(
        "To plan training that fits you",
        "用于制定适合您的训练计划",
        "Untuk menyusun latihan yang cocok bagi Anda",
        "Para magplano ng ensayong bagay sa iyo",
        "Untuk merancang latihan yang sesuai dengan anda",
        "เพื่อวางแผนการฝึกที่เหมาะกับคุณ",
        "لوضع تمارين تناسبك",
    ),
    "USER_BIRTHDAY": _said(
        "To keep your heart rate in a safe range and compare you with people of your age",
        "用于将您的心率保持在安全范围内，并与同龄人比较",
        "Untuk menjaga detak jantung Anda di batas aman dan membandingkan dengan orang seusia Anda",
        "Para manatiling ligtas ang tibok ng puso mo at maihambing ka sa mga kaedad mo",
        "Untuk mengekalkan kadar jantung anda dalam julat selamat dan membandingkan dengan orang sebaya anda",
        "เพื่อรักษาอัตราการเต้นของหัวใจให้อยู่ในช่วงปลอดภัย และเปรียบเทียบกับคนวัยเดียวกัน",
        "للحفاظ على نبض قلبك في نطاق آمن ومقارنتك بمن هم في سنّك",
    ),
}
# What Fitness asked the birthday for before it changed that.
FITNESS_BEFORE = _said(
    "To keep your heart rate in a safe range",
    "用于将您的心率保持在安全范围内",
    "Untuk menjaga detak jantung Anda di batas aman",
    "Para manatiling ligtas ang tibok ng puso mo",
    "Untuk mengekalkan kadar jantung anda dalam julat selamat",
    "เพื่อรักษาอัตราการเต้นของหัวใจให้อยู่ในช่วงปลอดภัย",
    "للحفاظ على نبض قلبك في نطاق آمن",
)
CINEMA = {
    "USER_NAME": _said(
        "To put your name on the ticket",
        "用于在电影票上写您的姓名",
        "Untuk mencantumkan nama Anda di tiket",
        "Para ilagay ang pangalan mo sa tiket",
        "Untuk meletakkan nama anda pada tiket",
        "เพื่อใส่ชื่อของคุณบนตั๋ว",
        "لوضع اسمك على التذكرة",
    ),
    "USER_BIRTHDAY": _said(
        "To check your age for a film",
        "用于核对观影年龄",
        "Untuk memeriksa usia Anda untuk sebuah film",
        "Para tiyakin ang edad mo para sa pelikula",
        "Untuk menyemak umur anda bagi sesebuah filem",
        "เพื่อตรวจสอบอายุสำหรับภาพยนตร์",
        "للتحقق من عمرك قبل مشاهدة فيلم",
    ),
}
LOANS = {
    "USER_CONTACTINFO": _said(
        "To contact you about offers",
        "用于就优惠与您联系",
        "Untuk menghubungi Anda soal penawaran",
        "Para makontak ka tungkol sa mga alok",
        "Untuk menghubungi anda tentang tawaran",
        "เพื่อติดต่อคุณเกี่ยวกับข้อเสนอ",
        "للتواصل معك بشأن العروض",
    ),
    "USER_ADDRESS": _said(
        "To check where you live",
        "用于核实您的住址",
        "Untuk memeriksa tempat tinggal Anda",
        "Para alamin kung saan ka nakatira",
        "Untuk menyemak tempat tinggal anda",
        "เพื่อตรวจสอบที่อยู่อาศัยของคุณ",
        "للتحقق من مكان سكنك",
    ),
}
